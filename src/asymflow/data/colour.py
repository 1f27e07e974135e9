"""Pixels in the colour space that a network works in, and back: RGB in [-1, 1] or [0, 1], or Oklab.

Oklab is Björn Ottosson's perceptual colour space (https://bottosson.github.io/posts/oklab, 2020): lightness L and two opponent
colours, a (green to red) and b (blue to yellow), in which equal distances look about equally large.

    sRGB -> linear RGB -> LMS = M_1 RGB -> LMS' = LMS^(1/3) -> Lab = M_2 LMS'

A network sees (Lab - mean) / std, with the constants of the official AsymFLUX.2 code, where one std serves all channels: so
distances keep their proportions.

Powers have an infinite slope at 0, and `torch.where` multiplies the gradient of the branch that it does not take by 0, which
makes it NaN. So the argument of each power is clamped within the branch where the power is taken.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from asymflow.config.representation import Colour

Matrix = tuple[tuple[float, float, float], ...]

LMS_FROM_RGB: Matrix = (  # M_1
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
LAB_FROM_ROOTS: Matrix = (  # M_2
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
RGB_FROM_LMS: Matrix = tuple(map(tuple, np.linalg.inv(LMS_FROM_RGB).tolist()))
ROOTS_FROM_LAB: Matrix = tuple(map(tuple, np.linalg.inv(LAB_FROM_ROOTS).tolist()))

MEAN = (0.56, 0.0, 0.01)  # of L, a, b
STD = 0.16

# Below this much LMS the cube root goes on as a straight line to 0, whose slope is finite. The darkest 8-bit colour that is not
# black has 1.6e-5; black stays exactly 0.
DARK = 1e-9


def from_rgb(rgb: Float[Tensor, "*b 3 h w"], colour: Colour) -> Float[Tensor, "*b 3 h w"]:
    """What a network works on, from RGB in [-1, 1]. In "rgb" that is the same pixels, bit for bit."""
    if colour == "rgb":
        return rgb
    if colour == "unit_rgb":
        return (rgb + 1) / 2
    lab = linear_to_oklab(srgb_to_linear((rgb + 1) / 2))
    return (lab - _mean(lab)) / STD


def to_rgb(values: Float[Tensor, "*b 3 h w"], colour: Colour) -> Float[Tensor, "*b 3 h w"]:
    """RGB in [-1, 1] from what a network works on: the inverse of `from_rgb`.

    From Oklab, what lies outside RGB is clamped to [0, 1] channel by channel, in linear RGB. "rgb" is left as it is.
    """
    if colour == "rgb":
        return values
    if colour == "unit_rgb":
        return 2 * values - 1
    linear = oklab_to_linear(values * STD + _mean(values))
    return 2 * linear_to_srgb(linear.clamp(0, 1)) - 1


def srgb_to_linear(srgb: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Light that is proportional to energy, from sRGB in [0, 1].                                    [IEC 61966-2-1]"""
    power = ((srgb.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(srgb <= 0.04045, srgb / 12.92, power)


def linear_to_srgb(linear: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The inverse of `srgb_to_linear`. The standard's rounded constants leave a gap of 3e-8 where the branches meet."""
    power = 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, power)


def linear_to_oklab(linear: Float[Tensor, "*b 3 h w"]) -> Float[Tensor, "*b 3 h w"]:
    """Oklab from linear RGB. LMS below 0, which no colour within RGB has, counts as 0."""
    lms = _mix(LMS_FROM_RGB, linear).clamp_min(0)
    roots = torch.where(lms <= DARK, lms * DARK ** (-2 / 3), lms.clamp_min(DARK) ** (1 / 3))
    return _mix(LAB_FROM_ROOTS, roots)


def oklab_to_linear(lab: Float[Tensor, "*b 3 h w"]) -> Float[Tensor, "*b 3 h w"]:
    """Linear RGB from Oklab, outside [0, 1] where the colour lies outside RGB."""
    return _mix(RGB_FROM_LMS, _mix(ROOTS_FROM_LAB, lab) ** 3)


def _mix(matrix: Matrix, image: Float[Tensor, "*b 3 h w"]) -> Float[Tensor, "*b 3 h w"]:
    """The matrix times each pixel, in single products: a GPU may compute whole matrix products in the coarser TF32."""
    x, y, z = image.unbind(-3)
    return torch.stack([p * x + q * y + r * z for p, q, r in matrix], dim=-3)


def _mean(like: Tensor) -> Float[Tensor, "3 1 1"]:
    return like.new_tensor(MEAN)[:, None, None]
