"""The low-pass of Spectral Forcing."""

import math

import pytest
import torch
from scipy.fft import dctn

from asymflow.flow.forcing import cosines, kept, low_pass


def test_cosines_are_orthonormal_and_scipy_s():
    found = cosines(7)
    torch.testing.assert_close(found @ found.T, torch.eye(7, dtype=torch.float64))
    image = torch.randn(7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        cosines(7) @ image @ cosines(5).T, torch.from_numpy(dctn(image.numpy(), norm="ortho")), rtol=1e-12, atol=1e-12
    )


def test_more_is_kept_as_noise_goes_and_low_frequencies_are_kept_first():
    mask = kept(torch.tensor([1.0, 0.5, 0.0]), 8, 8)[:, 0]
    assert (mask[1:] >= mask[:-1]).all() and (mask.diff(dim=1) <= 0).all() and (mask.diff(dim=2) <= 0).all()
    torch.testing.assert_close(mask[0, 0, 0], torch.tensor(1.5).sigmoid())  # 30 (0.05 - 0)
    torch.testing.assert_close(mask[2, 7, 7], torch.tensor(0.5))  # 30 (1 - 1)


def test_the_edge_moves_evenly_with_the_noise_and_the_radius_is_that_of_a_circle():
    for t, edge in ((0.5, 0.525), (0.25, 0.7625)):
        mask = kept(torch.tensor([t], dtype=torch.float64), 8, 8)[0, 0]
        for row, column in ((3, 4), (4, 3), (0, 5)):
            expected = 1 / (1 + math.exp(-30 * (edge - 5 / math.hypot(7, 7))))
            assert mask[row, column].item() == pytest.approx(expected, rel=1e-12)


def test_a_wave_of_one_frequency_is_only_scaled_and_by_what_is_kept_of_it():
    """Three half periods down and four across, of an image that is wider than high."""
    down, across = (
        torch.cos(torch.pi * waves * (torch.arange(n, dtype=torch.float64) + 0.5) / n) for waves, n in ((3, 5), (4, 9))
    )
    wave = (down[:, None] * across)[None, None]
    share = 1 / (1 + math.exp(-30 * (0.525 - 5 / math.hypot(4, 8))))
    found = low_pass(wave, torch.tensor([0.5], dtype=torch.float64))
    torch.testing.assert_close(found, share * wave, rtol=1e-12, atol=1e-12)


def test_a_constant_image_loses_only_its_scale_and_a_chequered_one_everything_at_noise():
    constant = torch.ones(1, 1, 8, 8, dtype=torch.float64)
    chequered = constant * (1 - 2 * ((torch.arange(8)[:, None] + torch.arange(8)) % 2))
    t = torch.ones(1, dtype=torch.float64)
    torch.testing.assert_close(low_pass(constant, t), constant * torch.tensor(1.5, dtype=torch.float64).sigmoid())
    assert low_pass(chequered, t).abs().max() < 1e-2
    assert low_pass(chequered, 0 * t).abs().max() > 0.4


def test_each_image_has_its_own_level_and_any_shape():
    images = torch.randn(2, 3, 4, 6, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([0.9, 0.2])
    together = low_pass(images, t)
    for index in range(2):
        torch.testing.assert_close(
            together[index : index + 1], low_pass(images[index : index + 1], t[index : index + 1])
        )
