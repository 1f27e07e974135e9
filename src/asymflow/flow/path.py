"""The linear path between data and noise, and the conventions of the whole project.

Conventions, stated here once:

- t is the noise level: t = 1 is pure noise, t = 0 is data; alpha_t = 1 - t, sigma_t = t.
- Images are in [-1, 1], cut into patches, and flattened to tokens (b, n, D): b images, n patches in raster order, D = p p c
  values in the order (row, column, channel). `asymflow.subspace.patches` does the cutting.
- x_0 is data, eps is standard normal noise, x_t lies between them, u is the velocity of the path, dx_t / dt.
- Everything in this package is a pure function of tensors in float32 or better. Do not call it under autocast: at small t
  the recovery of the velocity divides by t, and bfloat16 has three digits.
"""

from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

Number = TypeVar("Number", float, Tensor)

T_MIN = 1e-4  # smallest noise level that is ever trained at; the official training clamps there too


def per_sample(t: Float[Tensor, "b"]) -> Float[Tensor, "b 1 1"]:
    """One value per image, shaped to multiply tokens (b, n, D)."""
    return t[:, None, None]


def interpolate(
    x_0: Float[Tensor, "b n D"], eps: Float[Tensor, "b n D"], t: Float[Tensor, "b"]
) -> Float[Tensor, "b n D"]:
    """The noisy state on the straight line from data to noise.

        x_t = (1 - t) x_0 + t eps                                [AsymFlow, section 3]

    t in [0, 1], one per image.
    """
    t = per_sample(t)
    return (1 - t) * x_0 + t * eps


def velocity(x_0: Float[Tensor, "*b D"], eps: Float[Tensor, "*b D"]) -> Float[Tensor, "*b D"]:
    """The velocity of the line through x_0 and eps, the same at every t.

    u = eps - x_0 = (x_t - x_0) / t                          [AsymFlow, eq. 1]
    """
    return eps - x_0


def denoised(x_t: Float[Tensor, "b n D"], u: Float[Tensor, "b n D"], t: Float[Tensor, "b"]) -> Float[Tensor, "b n D"]:
    """The clean data that a velocity at x_t points to: eq. 1 solved for x_0.

    x_0 = x_t - t u
    """
    return x_t - per_sample(t) * u


def logit_normal_time(z: Float[Tensor, "b"], mean: float, std: float) -> Float[Tensor, "b"]:
    """Training noise levels from standard normal z: t = sigmoid(mean + std z), kept in [T_MIN, 1].

    JiT's law for its clean time 1 - t has mean -0.8; in the noise level it is +0.8. The wrong sign trains at the wrong
    noise levels without any error. prx-tg's public code keeps t in [0.001, 0.999]; with its law (0, 1) that is beyond 6.9
    standard deviations.                                     [JiT, table 9]
    """
    return torch.sigmoid(mean + std * z).clamp(T_MIN, 1.0)


def shift_time(t: Number, shift: float) -> Number:
    """A noise level moved towards noise, as high resolutions want it; a shift of 1 leaves it as it is.

        t' = m t / (1 + (m - 1) t)                               [Esser et al. 2024, eq. 23; AsymFlow, table 6]

    0 and 1 stay where they are. The signal-to-noise ratio (1 - t) / t is divided by m.
    """
    return shift * t / (1 + (shift - 1) * t)
