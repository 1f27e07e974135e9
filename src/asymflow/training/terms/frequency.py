"""The error of the velocity by frequency, weighted as an eye sees it: the frequency-aware loss of DeCo [Ma et al. 2025].

Letters in shapes: b images, n tokens, D numbers of each.
"""

import numpy as np
import torch
from jaxtyping import Float
from scipy.fft import dct
from torch import Tensor, nn

from asymflow.config.arm import Arm
from asymflow.flow.path import velocity
from asymflow.models.velocity import VelocityModel
from asymflow.subspace.patches import patchify, unpatchify
from asymflow.training.example import Example
from asymflow.training.objective import Needs

BLOCK = 8  # pixels on a side of what JPEG transforms
YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))  # of RGB  [JFIF]
# quantisation at quality 50, rows by vertical frequency  [ITU-T T.81, tables K.1 and K.2]
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip
CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99), (18, 21, 26, 66, 99, 99, 99, 99), (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99), *(4 * ((99,) * 8,)),
)  # fmt: skip


def frequencies() -> Float[Tensor, "192 192"]:
    """What takes 8 x 8 pixels in (row, column, channel) order to the DCT-II of their Y, Cb and Cr, in the same order.

    The cosines are orthonormal, the colours are not: the transform keeps no norm.
    """
    cosines = torch.from_numpy(dct(np.eye(BLOCK), axis=0, norm="ortho"))
    return torch.kron(torch.kron(cosines, cosines), torch.tensor(YCBCR, dtype=torch.float64))


def visibility(quality: int) -> Float[Tensor, "192"]:
    """Weights of the same: inverse to JPEG's quantisation at a quality from 1 to 100, of mean 1 in each channel."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    steps = torch.tensor((LUMINANCE, CHROMINANCE, CHROMINANCE), dtype=torch.float64)
    inverse = 1 / ((steps * scale + 50) / 100).floor().clamp(1, 255)
    return (inverse / inverse.mean((1, 2), keepdim=True)).permute(1, 2, 0).flatten()


class FrequencyTerm(nn.Module):
    """mean over images, blocks and frequencies of weight |DCT(YCbCr(u_hat - u))|^2."""

    def __init__(self, arm: Arm):
        super().__init__()
        self.weight, self.patch_size = arm.losses.frequency.weight, arm.representation.patch_size
        self.order = arm.network.order
        self.register_buffer("transform", frequencies().T.float(), persistent=False)
        self.register_buffer("visibility", visibility(arm.losses.frequency.quality).float(), persistent=False)

    def forward(
        self, model: VelocityModel, example: Example, u_hat: Float[Tensor, "b n D"]
    ) -> dict[str, Float[Tensor, ""]]:
        error = u_hat - velocity(example.x_0, example.eps)
        pixels = unpatchify(error, example.condition.grid, self.patch_size, self.order)
        seen = patchify(pixels, BLOCK) @ self.transform
        return {"frequency": self.weight * (self.visibility * seen.square()).mean()}


def build(arm: Arm, model: VelocityModel, needs: Needs) -> FrequencyTerm:
    """The term of an arm."""
    return FrequencyTerm(arm)
