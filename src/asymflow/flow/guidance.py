"""Classifier-free guidance, within an interval of noise levels."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

# velocity(x_t, t) -> u: the field that a solver integrates; t is one number for the whole batch
Velocity = Callable[[Tensor, float], Tensor]

TINY = 1e-12  # keeps the projection onto an image that is exactly zero finite
EDGE = 1e-6  # the interval is closed: a grid point that equals its end up to rounding is guided


def in_interval(t: float, interval: tuple[float, float]) -> bool:
    """Whether noise level t lies in [low, high], both ends included; 0 is the clean end.

    JiT's own interval is open and in clean time, so its [0.1, 1] guides one grid point less than [0, 0.9] here.
    """
    low, high = interval
    return low - EDGE <= t <= high + EDGE


def guide(u_conditional: Tensor, u_unconditional: Tensor, scale: float) -> Tensor:
    """The guided velocity: u = u_c + (scale - 1) (u_c - u_u). Scale 1 means no guidance.        [Ho and Salimans, 2020]"""
    return u_conditional + (scale - 1) * (u_conditional - u_unconditional)


def guide_orthogonally(
    u_conditional: Float[Tensor, "b n D"],
    u_unconditional: Float[Tensor, "b n D"],
    scale: float,
    x_t: Float[Tensor, "b n D"],
    t: float,
) -> Float[Tensor, "b n D"]:
    """The guided velocity without the part of the guidance that only scales the conditional image.

        b = (scale - 1) (u_c - u_u),   x_c = x_t - t u_c
        u = u_c + b - x_c <b, x_c> / <x_c, x_c>                  [Sadat et al. 2024 (APG), with eta = 0; AsymFlow, B.2]

    Inner products are of whole images. High scales oversaturate colours mostly by the part that is taken away here.
    """
    push, x_0 = (scale - 1) * (u_conditional - u_unconditional), x_t - t * u_conditional
    overlap = (push * x_0).sum((1, 2), keepdim=True) / x_0.square().sum((1, 2), keepdim=True).clamp_min(TINY)
    return u_conditional + push - overlap * x_0


def guide_twice(
    u_unconditional: Tensor, u_text: Tensor, u_image: Tensor, text_scale: float, image_scale: float
) -> Tensor:
    """Guidance by two conditions, each with a scale of its own: u = u_u + s_t (u_t - u_u) + s_i (u_i - u_u).    [prx-tg]"""
    return u_unconditional + text_scale * (u_text - u_unconditional) + image_scale * (u_image - u_unconditional)


def guide_by_routing(u_dense: Tensor, u_routed: Tensor, scale: float) -> Tensor:
    """Self-guidance, away from a pass in which some tokens bypass blocks: u = u_r + s (u_d - u_r).    [TREAD]"""
    return u_routed + scale * (u_dense - u_routed)
