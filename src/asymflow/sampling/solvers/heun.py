"""Heun's method, as JiT and AsymFlow sample from scratch."""

from jaxtyping import Float
from torch import Tensor

from asymflow.flow.guidance import Velocity
from asymflow.flow.solver import heun

RESUMABLE = True  # a step depends on the state before it alone
LOOKS_AHEAD = True  # whether a step evaluates the velocity at its end too


def solve(velocity: Velocity, start: Float[Tensor, "b n D"], times: list[float]) -> Float[Tensor, "b n D"]:
    """The state at the end of a grid of noise levels, from that at its beginning."""
    return heun(velocity, start, times)


def visits(steps: int) -> list[int]:
    """How often each noise level but the last, 0, is evaluated: as the end of a step and as the start of the next."""
    return [1] + [2] * (steps - 1)
