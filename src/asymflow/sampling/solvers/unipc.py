"""UniPC, the multistep solver of the paper's text-to-image models, as diffusers implements it."""

import numpy as np
from diffusers import UniPCMultistepScheduler
from jaxtyping import Float
from torch import Tensor

from asymflow.flow.guidance import Velocity

RESUMABLE = False  # a step depends on the ones before
LOOKS_AHEAD = False  # whether a step evaluates the velocity at its end too


def solve(velocity: Velocity, start: Float[Tensor, "b n D"], times: list[float]) -> Float[Tensor, "b n D"]:
    """Data from noise on the given grid (`solver.time_grid`, shifted); N evaluations of the velocity.

    Order 2, B2(h), in x_0 form with corrector, order 1 at both ends.                     [Zhao et al. 2023; AsymFlow, B.2]
    The scheduler takes the noise levels as they are: a shift of its own would be a second one. It puts 1 - 1e-6 for the first,
    whose log-signal would be infinite. LakonLab's first level is 1 - 1e-4, up to 3 of 255 away in a pixel; the nearer to 1 the
    truer is it to the grid.
    """
    scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True)
    scheduler.set_timesteps(sigmas=np.array(times[:-1]))
    scheduler.set_begin_index(0)
    x = start
    for number, t in zip(scheduler.timesteps, times, strict=False):
        x = scheduler.step(velocity(x, t), number, x).prev_sample
    return x


def visits(steps: int) -> list[int]:
    """How often each noise level but the last, 0, is evaluated."""
    return [1] * steps
