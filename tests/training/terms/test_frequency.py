"""The frequency-aware loss of DeCo."""

import numpy as np
import pytest
import scipy.fft
import torch
from PIL import Image
from torch import nn

from asymflow.config.arm import Arm
from asymflow.models.condition import Condition, presence
from asymflow.models.velocity import VelocityModel
from asymflow.subspace.patches import patchify
from asymflow.training.example import Example
from asymflow.training.terms.frequency import FrequencyTerm, frequencies, visibility

GRID, PATCH = (2, 3), 16


def arm(**frequency):
    return Arm.model_validate(
        {"representation": {"patch_size": PATCH}, "network": {"kind": "jit"}, "losses": {"frequency": frequency}}
    )


def value(term, u_hat, u):
    model = VelocityModel(nn.Identity(), torch.eye(u.shape[-1])[:, :0], 1.0, torch.float32)
    condition = Condition(presence([], len(u)), GRID)
    pixels = torch.zeros(len(u), 3, GRID[0] * PATCH, GRID[1] * PATCH)
    example = Example(-u, torch.zeros_like(u), torch.ones(len(u)), condition, pixels, progress=0.0)
    return term(model, example, u_hat)["frequency"]


def images(seed):
    shape = (2, 3, GRID[0] * PATCH, GRID[1] * PATCH)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_transform_is_scipy_s_cosine_transform_of_luminance_and_two_colours():
    pixels = images(0)[0, :, :8, :8].double()
    made = (frequencies() @ pixels.permute(1, 2, 0).flatten()).reshape(8, 8, 3)
    r, g, b = pixels
    y = 0.299 * r + 0.587 * g + 0.114 * b
    for channel, plane in enumerate((y, (b - y) / 1.772, (r - y) / 1.402)):  # [JFIF]
        expected = scipy.fft.dctn(plane.numpy(), norm="ortho")
        np.testing.assert_allclose(made[..., channel], expected, atol=1e-5)


@pytest.mark.parametrize("quality", [1, 30, 50, 85, 99, 100])
def test_the_weights_are_inverse_to_the_tables_that_a_jpeg_file_of_that_quality_holds(quality, tmp_path):
    path = tmp_path / "image.jpg"
    Image.new("RGB", (16, 16)).save(path, quality=quality)
    tables = Image.open(path).quantization
    weights = visibility(quality).reshape(8, 8, 3)
    for channel, table in enumerate((tables[0], tables[1], tables[1])):
        inverse = 1 / torch.tensor(table, dtype=torch.float64).reshape(8, 8)
        torch.testing.assert_close(weights[..., channel], inverse / inverse.mean())


def test_the_loss_is_the_weighted_mean_over_images_blocks_and_frequencies():
    u, u_hat = images(1), images(2)
    made = value(FrequencyTerm(arm(weight=0.5)), patchify(u_hat, PATCH), patchify(u, PATCH))
    r, g, b = (u_hat - u).double().numpy().transpose(1, 0, 2, 3)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    planes = np.stack([y, (b - y) / 1.772, (r - y) / 1.402], 1)
    blocks = planes.reshape(2, 3, 4, 8, 6, 8).transpose(0, 2, 4, 3, 5, 1)
    spectrum = scipy.fft.dctn(blocks, axes=(3, 4), norm="ortho")
    expected = 0.5 * (visibility(85).reshape(8, 8, 3).numpy() * spectrum**2).mean()
    assert made.item() == pytest.approx(expected, rel=1e-5)


def test_it_is_zero_without_an_error_and_coarse_errors_count_more_than_fine_ones():
    u = patchify(images(3), PATCH)
    term = FrequencyTerm(arm())
    assert value(term, u, u) == 0
    flat = torch.ones(2, 3, GRID[0] * PATCH, GRID[1] * PATCH)
    checked = flat * (1 - 2 * ((torch.arange(32)[:, None] + torch.arange(48)) % 2))
    coarse, fine = (value(term, u + patchify(error, PATCH), u) for error in (flat, checked))
    assert coarse > 3 * fine


def test_at_quality_100_all_frequencies_count_alike():
    torch.testing.assert_close(visibility(100), torch.ones(192, dtype=torch.float64))


def test_it_moves_the_gradient_and_learns_nothing_itself():
    term, u = FrequencyTerm(arm()), patchify(images(4), PATCH)
    u_hat = torch.zeros_like(u, requires_grad=True)
    value(term, u_hat, u).backward()
    assert u_hat.grad.abs().min() > 0 and not list(term.parameters()) and not term.state_dict()
