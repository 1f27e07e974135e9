"""Spectral Forcing: the network sees its noisy image through a low-pass that opens with time; nothing else changes."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

LEAST, SHARPNESS = 0.05, 30.0  # what is kept of the spectrum at pure noise; how steep the edge is


def cosines(n: int) -> Float[Tensor, "n n"]:
    """The orthonormal DCT-II of n numbers, a frequency in each row, in float64."""
    place = torch.arange(n, dtype=torch.float64)
    rows = torch.cos(math.pi / n * (place + 0.5) * place[:, None]) * math.sqrt(2 / n)
    rows[0] /= math.sqrt(2)
    return rows


def kept(t: Float[Tensor, "b"], height: int, width: int) -> Float[Tensor, "b 1 height width"]:
    """How much of each frequency is kept at noise level t.

        sigmoid(30 (c - r)),   c = 0.05 + 0.95 (1 - t)                  [Spectral Forcing, released code]

    r is a frequency's distance from the mean, 1 at the corner of the highest ones.
    """
    rows, columns = (torch.arange(n, dtype=t.dtype, device=t.device) for n in (height, width))
    radius = (rows[:, None].square() + columns.square()).sqrt() / math.hypot(height - 1, width - 1)
    edge = LEAST + (1 - LEAST) * (1 - t)
    return torch.sigmoid(SHARPNESS * (edge[:, None, None, None] - radius))


def low_pass(images: Float[Tensor, "b c h w"], t: Float[Tensor, "b"]) -> Float[Tensor, "b c h w"]:
    """Whole images without the frequencies that the noise level t hides."""
    vertical, horizontal = (cosines(n).to(images) for n in images.shape[2:])
    spectrum = vertical @ images @ horizontal.T
    return vertical.T @ (kept(t, *images.shape[2:]) * spectrum) @ horizontal
