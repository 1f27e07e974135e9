"""Solvers of the sampling equation dx / dt = u(x, t), from noise at t = 1 to data at t = 0."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from asymflow.flow.guidance import Velocity
from asymflow.flow.path import shift_time


def time_grid(steps: int, shift: float = 1.0) -> list[float]:
    """The noise levels of an N-step solver: the uniform 1, 1 - 1/N, ..., 1/N, 0, each shifted (`path.shift_time`)."""
    return [shift_time(1 - i / steps, shift) for i in range(steps)] + [0.0]


def euler(velocity: Velocity, noise: Float[Tensor, "b n D"], times: list[float]) -> Float[Tensor, "b n D"]:
    """Data from noise by Euler's method on the given grid; N evaluations of the velocity."""
    x = noise
    for t, t_next in pairwise(times):
        x = x + (t_next - t) * velocity(x, t)
    return x


def heun(velocity: Velocity, noise: Float[Tensor, "b n D"], times: list[float]) -> Float[Tensor, "b n D"]:
    """Data from noise by Heun's method, as JiT and AsymFlow sample; 2 N - 1 evaluations of the velocity.

        x' = x_i + (t_{i+1} - t_i) u(x_i, t_i)
        x_{i+1} = x_i + (t_{i+1} - t_i) (u(x_i, t_i) + u(x', t_{i+1})) / 2

    The last interval is a plain Euler step, because the velocity is not evaluated at t = 0.
    """
    x = noise
    for t, t_next in pairwise(times):
        slope = velocity(x, t)
        if t_next > 0:
            corrected = velocity(x + (t_next - t) * slope, t_next)
            slope = (slope + corrected) / 2
        x = x + (t_next - t) * slope
    return x


def constant_time(t: float, like: Float[Tensor, "b n D"]) -> Float[Tensor, "b"]:
    """One noise level for a whole batch as the tensor that networks take."""
    return torch.full((like.shape[0],), t, dtype=like.dtype, device=like.device)
