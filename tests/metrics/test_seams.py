"""Seams: none in noise and ramps, and as high as they were made."""

import pytest
import torch

from asymflow.metrics.seams import seams


def noise(seed=0):
    return torch.randint(256, (20, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def test_noise_has_no_seams():
    assert seams(noise(), 8) == pytest.approx(1, abs=0.03)


def test_a_ramp_has_none_at_all():
    ramp = (torch.arange(32)[:, None] + torch.arange(32)).to(torch.uint8).expand(2, 3, 32, 32)
    assert seams(ramp, 8) == 1


def test_steps_of_twice_the_height_at_borders_count_four_times():
    heights = torch.where(torch.arange(1, 32) % 8 == 0, 2, 1)
    profile = torch.cat([torch.zeros(1, dtype=torch.long), heights.cumsum(0)])
    image = (profile[:, None] + profile).to(torch.uint8).expand(1, 3, 32, 32)
    assert seams(image, 8) == pytest.approx(4)


@pytest.mark.parametrize("images", [torch.zeros(2, 3, 8, 8, dtype=torch.uint8), noise()[:, :, :8, :8]])
def test_images_without_a_border_or_of_one_colour_are_refused(images):
    with pytest.raises(ValueError, match="no seams"):
        seams(images, 8)
