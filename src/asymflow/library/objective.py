"""The loss of a training step, from images to one number."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from asymflow.config.losses import Losses
from asymflow.config.training import Training
from asymflow.flow.objective import flow_matching_loss
from asymflow.flow.path import interpolate, logit_normal_time, shift_time, velocity
from asymflow.library.model import flat

TRAINING, LOSSES = Training(), Losses()  # the defaults, which stand there alone


def noise_levels(
    count: int,
    *,
    mean: float = TRAINING.time_mean,
    std: float = TRAINING.time_std,
    shift: float = TRAINING.shift,
    device: torch.device | str = "cpu",
    generator: torch.Generator | None = None,
) -> Float[Tensor, "{count}"]:
    """Noise levels to train at, in (0, 1], 1 = noise: logit-normal, then shifted towards noise.

        t = sigmoid(mean + std z),  t' = shift t / (1 + (shift - 1) t)       [JiT, table 9; Esser et al. 2024, eq. 23]

    The defaults are JiT's (its mean of -0.8 is in clean time). The paper's text-to-image models have mean 0, std 1, and at
    1024 x 1024 pixels a shift of 17.
    """
    z = torch.randn(count, device=device, generator=generator)
    return shift_time(logit_normal_time(z, mean, std), shift)


def loss(
    model: nn.Module,
    x_0: Tensor,
    condition: Mapping[str, Any] | None = None,
    *,
    t: Float[Tensor, " b"] | None = None,
    noise: Tensor | None = None,
    sigma_min: float = LOSSES.sigma_min,
    sigma_floor: float = LOSSES.sigma_floor,
) -> Float[Tensor, ""]:
    """The flow matching loss of a batch, averaged over its images and their numbers.

        mean |u_hat - (eps - x_0)|^2 (t / max(t, sigma_floor))^2,  u_hat = model(x_t, t, **condition),
        x_t = (1 - t) x_0 + t eps                                [AsymFlow, eq. 2; weight as in the official training]

    `model` is an AsymFlow, or one that is compiled or wrapped for several processes. x_0 are images (b, c, h, w) in [-1, 1], or
    tokens (b, n, D), whichever its network takes; `condition` is what it takes beside them and the time, by name. `t` and `noise`
    are drawn where they are not given: `noise_levels`, and standard normal. Raises ValueError for bytes, and for a `t` or `noise`
    of another shape.
    """
    if not x_0.is_floating_point():
        raise ValueError(f"x_0 is {x_0.dtype}; expected images in [-1, 1]: bytes are brought there by x / 127.5 - 1")
    t = noise_levels(len(x_0), device=x_0.device) if t is None else t
    eps = torch.randn_like(x_0) if noise is None else noise
    if t.shape != x_0.shape[:1] or eps.shape != x_0.shape:
        raise ValueError(
            f"t has the shape {tuple(t.shape)} and noise {tuple(eps.shape)} for x_0 of {tuple(x_0.shape)}; expected a noise level"
            f" for each image, ({len(x_0)},), and noise in the shape of x_0"
        )
    x_t = interpolate(flat(x_0), flat(eps), t).reshape(x_0.shape)
    u_hat = model(x_t, t, sigma_min=sigma_min, **(condition or {}))
    return flow_matching_loss(flat(u_hat), velocity(flat(x_0), flat(eps)), t, sigma_floor).mean()
