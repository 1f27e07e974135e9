import numpy as np
import pytest
import torch

from asymflow.data.colour import (
    DARK,
    from_rgb,
    linear_to_oklab,
    linear_to_srgb,
    oklab_to_linear,
    srgb_to_linear,
    to_rgb,
)

# Ottosson's own table: CIE XYZ and its Oklab. (His fourth pair has a negative LMS, which we count as 0.)
XYZ = [[0.950, 1.000, 1.089], [1.000, 0.000, 0.000], [0.000, 1.000, 0.000]]
OKLAB = [[1.000, 0.000, 0.000], [0.450, 1.236, -0.019], [0.922, -0.671, 0.263]]
RGB_FROM_XYZ = [
    [3.2409699, -1.5373832, -0.4986108],
    [-0.9692436, 1.8759675, 0.0415551],
    [0.0556301, -0.2039770, 1.0569715],
]


def pixels(*colours):
    """Colours (r, g, b) side by side as an image (3, 1, n) in float64."""
    return torch.tensor(colours, dtype=torch.float64).T[:, None]


def random_images(*shape, seed=0):
    return 2 * torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) - 1


def every_byte():
    """Each 8-bit value in each channel, with the other channels at random."""
    generator = torch.Generator().manual_seed(0)
    order = [torch.randperm(256, generator=generator) for _ in range(8 * 3)]
    return torch.stack(order).reshape(8, 3, 16, 16).double() / 127.5 - 1


def test_the_published_pairs_of_xyz_and_oklab():
    linear = pixels(*(np.array(XYZ) @ np.array(RGB_FROM_XYZ).T).tolist())
    torch.testing.assert_close(linear_to_oklab(linear), pixels(*OKLAB), atol=1e-3, rtol=0)  # he gives three decimals


def test_the_primaries_of_srgb_have_the_values_of_css():
    corners = pixels((1, 0, 0), (0, 1, 0), (0, 0, 1))
    expected = pixels((0.62796, 0.22486, 0.12585), (0.86644, -0.23389, 0.17950), (0.45201, -0.03246, -0.31153))
    torch.testing.assert_close(linear_to_oklab(corners), expected, atol=6e-6, rtol=0)


def test_greys_have_no_colour_and_black_and_white_are_the_ends():
    grey = torch.linspace(0, 1, 9, dtype=torch.float64)
    lightness, a, b = linear_to_oklab(grey.expand(3, 1, 9))
    torch.testing.assert_close(lightness, grey[None] ** (1 / 3))
    assert a.abs().max() < 1e-7 and b.abs().max() < 1e-7  # the published constants have ten decimals
    assert lightness[0, 0] == 0


def test_srgb_is_the_standard_s_curve():
    srgb = torch.tensor([0.0, 10 / 255, 0.04045, 0.5, 1.0], dtype=torch.float64)
    linear = torch.tensor([0.0, 0.0030352698, 0.0031308050, 0.2140411405, 1.0], dtype=torch.float64)
    torch.testing.assert_close(srgb_to_linear(srgb), linear, atol=1e-9, rtol=0)
    around = torch.linspace(-0.5, 1.5, 4001, dtype=torch.float64)  # also outside [0, 1]
    torch.testing.assert_close(linear_to_srgb(srgb_to_linear(around)), around, atol=4e-8, rtol=0)


def test_values_are_normalised_by_the_official_numbers():
    white, black = from_rgb(pixels((1, 1, 1), (-1, -1, -1)), "oklab").unbind(-1)
    expected = torch.tensor([[(1 - 0.56) / 0.16, 0.0, -0.01 / 0.16]], dtype=torch.float64)
    torch.testing.assert_close(white.T, expected, atol=1e-6, rtol=0)
    expected[0, 0] = -0.56 / 0.16
    torch.testing.assert_close(black.T, expected)


@pytest.mark.parametrize("shape", [(3, 1, 1), (1, 3, 5, 2), (4, 3, 8, 8), (2, 3, 3, 4, 6), (0, 3, 4, 4)])
def test_the_way_back_gives_the_pixels_again(shape):
    images = random_images(*shape)
    values = from_rgb(images, "oklab")
    assert values.shape == images.shape and values.dtype == torch.float64
    torch.testing.assert_close(to_rgb(values, "oklab"), images, atol=1e-12, rtol=0)


def test_every_byte_survives_in_single_precision():
    images = every_byte()
    torch.testing.assert_close(to_rgb(from_rgb(images, "oklab"), "oklab"), images, atol=1e-12, rtol=0)
    single = to_rgb(from_rgb(images.float(), "oklab"), "oklab")
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), images, atol=2e-4, rtol=0)  # a fortieth of a step between two bytes


def test_almost_black_is_off_by_less_than_anybody_can_see():
    """Where the cube root is replaced by a line, `to_rgb` is not the exact inverse of `from_rgb`."""
    srgb = DARK * 12.92 * torch.linspace(0, 3, 301, dtype=torch.float64).expand(3, 1, -1)
    torch.testing.assert_close(to_rgb(from_rgb(2 * srgb - 1, "oklab"), "oklab"), 2 * srgb - 1, atol=1e-7, rtol=0)


def test_colours_outside_rgb_are_clamped_to_it():
    wild = 6 * random_images(4, 3, 8, 8)
    shown = to_rgb(wild, "oklab")
    ends = torch.stack([shown.min(), shown.max()])
    torch.testing.assert_close(ends, torch.tensor([-1.0, 1.0], dtype=torch.float64), atol=1e-12, rtol=0)
    linear = oklab_to_linear(linear_to_oklab(srgb_to_linear(pixels((1.2, 0.5, 0.5)))))
    assert linear[0, 0, 0] > 1  # the clamp is in to_rgb alone
    torch.testing.assert_close(linear, srgb_to_linear(pixels((1.2, 0.5, 0.5))))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_everywhere(dtype):
    corners = torch.cartesian_prod(*3 * [torch.tensor([-1.5, -1.0, 0.0, 1.0, 1.5], dtype=dtype)]).T[:, None]
    for function, start in (
        (from_rgb, corners),
        (to_rgb, corners),
        (to_rgb, from_rgb(corners, "oklab")),
        (to_rgb, 50 * corners),
    ):
        values = start.clone().requires_grad_()
        function(values, "oklab").square().sum().backward()
        assert values.grad.isfinite().all(), function.__name__
        assert (values.grad != 0).any()


@pytest.mark.parametrize("function", [srgb_to_linear, linear_to_srgb, linear_to_oklab, oklab_to_linear])
def test_no_step_divides_by_the_slope_of_a_power_at_0(function):
    values = torch.tensor([-0.5, -1e-12, 0.0, 1e-30, 1e-12, 1e-3, 1.0, 1.5]).expand(3, 1, -1).clone().requires_grad_()
    function(values).sum().backward()
    assert values.grad.isfinite().all() and values.grad.abs().max() < 1e8


def test_gradients_are_those_of_finite_differences():
    images = 0.9 * random_images(1, 3, 2, 3)
    assert torch.autograd.gradcheck(lambda x: from_rgb(x, "oklab"), images.clone().requires_grad_())
    assert torch.autograd.gradcheck(lambda x: to_rgb(x, "oklab"), from_rgb(images, "oklab").requires_grad_())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rgb_is_left_as_it_is(dtype):
    images = (3 * random_images(2, 3, 4, 4)).to(dtype)  # also outside [-1, 1]
    assert torch.equal(from_rgb(images, "rgb"), images) and torch.equal(to_rgb(images, "rgb"), images)
