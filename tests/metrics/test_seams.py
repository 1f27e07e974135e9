"""Seams: none in noise and ramps, and as high as they were made."""

import pytest
import torch

from asymflow.metrics.seams import seams


def noise(seed=0):
    return torch.randint(256, (20, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def test_noise_has_no_seams():
    assert seams([noise()], 8) == pytest.approx(1, abs=0.03)


def test_a_ramp_has_none_at_all():
    ramp = (torch.arange(32)[:, None] + torch.arange(32)).to(torch.uint8).expand(2, 3, 32, 32)
    assert seams([ramp], 8) == 1


def test_steps_of_twice_the_height_at_borders_count_four_times():
    heights = torch.where(torch.arange(1, 32) % 8 == 0, 2, 1)
    profile = torch.cat([torch.zeros(1, dtype=torch.long), heights.cumsum(0)])
    image = (profile[:, None] + profile).to(torch.uint8).expand(1, 3, 32, 32)
    assert seams([image], 8) == pytest.approx(4)


def test_batches_of_any_size_give_the_number_of_all_images_at_once():
    assert seams(noise().split(3), 8) == seams([noise()], 8)


def test_an_image_of_one_colour_has_none():
    """A network of data prediction that has not been trained draws nothing else."""
    assert seams([torch.full((2, 3, 32, 32), 128, dtype=torch.uint8)], 8) == 1


def test_images_without_a_border_and_patches_of_one_colour_each_are_refused_by_what_they_are():
    with pytest.raises(ValueError, match="8 x 8 pixels have no border of patches of 8"):
        seams([noise()[:, :, :8, :8]], 8)
    with pytest.raises(ValueError, match="every patch of 8 pixels is of one colour"):
        seams([noise()[:, :, ::8, ::8].repeat_interleave(8, 2).repeat_interleave(8, 3)], 8)
