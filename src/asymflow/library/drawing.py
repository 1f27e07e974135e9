"""Images from noise: the solvers, with classifier-free guidance in an interval of noise levels."""

from collections.abc import Mapping
from typing import Any, get_args

import torch
from torch import Tensor, nn

from asymflow import parts
from asymflow.config.sampling import ClassifierFree, Sampling, Solver
from asymflow.flow.guidance import Velocity, guide, guide_orthogonally, in_interval
from asymflow.flow.solver import constant_time, time_grid
from asymflow.library.model import flat

SAMPLING, GUIDANCE = Sampling(), ClassifierFree()  # the defaults, which stand there alone
SOLVERS = get_args(Solver)


def guided(
    model: nn.Module,
    condition: Mapping[str, Any] | None = None,
    unconditional: Mapping[str, Any] | None = None,
    *,
    scale: float = 1.0,
    interval: tuple[float, float] = GUIDANCE.interval,
    orthogonal: bool = False,
    sigma_min: float = SAMPLING.sigma_min,
) -> Velocity:
    """The guided velocity u(x_t, t) of a model, t one number for all images: what a solver integrates.

        u = u_c + (scale - 1) (u_c - u_u)                        [Ho and Salimans, 2020]

    at the noise levels of `interval`, both ends included (0 = clean, 1 = noise), elsewhere u_c. `condition` is what the network
    takes beside x_t and its time, by name; `unconditional` the same with the condition hidden. `orthogonal` leaves out the part
    of the guidance that only scales the image (APG, eta = 0). Scale 1 is none. Raises ValueError for any other scale without
    `unconditional`, and for an interval that is not in order within [0, 1].
    """
    if not 0 <= interval[0] <= interval[1] <= 1:
        raise ValueError(f"interval is {tuple(interval)}; expected (low, high) with 0 <= low <= high <= 1, 1 = noise")
    if scale != 1 and unconditional is None:
        raise ValueError(
            f"scale is {scale}, but there is no unconditional; give what the network is told for 'no condition'"
        )

    def predicted(x_t: Tensor, t: float, told: Mapping[str, Any] | None) -> Tensor:
        return model(x_t, constant_time(t, flat(x_t)), sigma_min=sigma_min, **(told or {}))

    def field(x_t: Tensor, t: float) -> Tensor:
        u = predicted(x_t, t, condition)
        if scale == 1 or not in_interval(t, interval):
            return u
        u_nothing = predicted(x_t, t, unconditional)
        if orthogonal:
            return guide_orthogonally(flat(u), flat(u_nothing), scale, flat(x_t), t).reshape(x_t.shape)
        return guide(u, u_nothing, scale)

    return field


@torch.no_grad()
def draw(
    model: nn.Module,
    noise: Tensor,
    condition: Mapping[str, Any] | None = None,
    unconditional: Mapping[str, Any] | None = None,
    *,
    solver: Solver = SAMPLING.solver,
    steps: int = SAMPLING.steps,
    shift: float = 1.0,
    scale: float = 1.0,
    interval: tuple[float, float] = GUIDANCE.interval,
    orthogonal: bool = False,
    sigma_min: float = SAMPLING.sigma_min,
) -> Tensor:
    """Images from standard normal noise, in its shape: images (b, c, h, w), or tokens (b, n, D). Not clamped to [-1, 1].

        dx / dt = u(x, t)  from t = 1 to t = 0

    heun takes 2 steps - 1 evaluations of the velocity, euler and unipc (order 2; needs diffusers) one a step, and guidance twice
    as many in its interval (`guided` has its options). `shift` moves noise levels towards noise, as in training. Put the model
    into eval() first. Raises ValueError for an unknown solver, for fewer steps than one, and a shift that is not positive.
    """
    if steps < 1 or shift <= 0:
        raise ValueError(f"steps is {steps} and shift {shift}; expected one step or more, and a shift above 0")
    if solver not in SOLVERS:
        raise ValueError(f"solver is {solver!r}; expected one of {', '.join(SOLVERS)}")
    field = guided(
        model, condition, unconditional, scale=scale, interval=interval, orthogonal=orthogonal, sigma_min=sigma_min
    )

    def velocity(x_t: Tensor, t: float) -> Tensor:
        return flat(field(x_t.reshape(noise.shape), t))

    solved = parts.load(parts.solver(solver)).solve(velocity, flat(noise), time_grid(steps, shift))
    return solved.reshape(noise.shape)
