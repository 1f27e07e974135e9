"""What every solver promises: where it evaluates the velocity, how often, and whether its steps stand alone."""

from itertools import pairwise
from typing import get_args

import pytest
import torch

from asymflow import parts
from asymflow.config.sampling import Sampling
from asymflow.flow.solver import time_grid

SOLVERS = get_args(Sampling.model_fields["solver"].annotation)
MEAN, VARIANCE = 0.7, 0.04


@pytest.fixture(params=SOLVERS)
def solver(request):
    return parts.load(parts.solver(request.param))


def exact(x, t):
    """The velocity field of data from N(MEAN, VARIANCE)."""
    x_0 = MEAN + (1 - t) * VARIANCE / ((1 - t) ** 2 * VARIANCE + t**2) * (x - (1 - t) * MEAN)
    return (x - x_0) / t


def start():
    return torch.randn(4, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


class Counting:
    """The exact field, with the noise levels that it was asked for."""

    def __init__(self):
        self.seen = []

    def __call__(self, x, t):
        self.seen.append(t)
        return exact(x, t)


@pytest.mark.parametrize("shift", [1.0, 7.0])
@pytest.mark.parametrize("steps", [1, 2, 5, 12])
def test_noise_levels_are_visited_as_often_as_it_says_and_the_last_never(solver, steps, shift):
    field, times = Counting(), time_grid(steps, shift)
    solver.solve(field, start(), times)
    assert [field.seen.count(t) for t in times[:-1]] == solver.visits(steps)
    assert len(field.seen) == sum(solver.visits(steps)), "no level between them is visited"


def test_a_step_visits_its_end_where_it_says_so(solver):
    field, times = Counting(), time_grid(5)
    solver.solve(field, start(), times[2:4])
    assert (times[3] in field.seen) == solver.LOOKS_AHEAD and times[2] in field.seen


@pytest.mark.parametrize("shift", [1.0, 7.0])
def test_steps_one_by_one_are_the_whole_to_the_bit_where_it_says_so(solver, shift):
    times, x = time_grid(7, shift), start()
    for step in pairwise(times):
        x = solver.solve(exact, x, list(step))
    assert torch.equal(x, solver.solve(exact, start(), times)) == solver.RESUMABLE


def test_the_solution_is_approached(solver):
    """Data of the exact field is MEAN + sqrt(VARIANCE) times its noise; Euler's error, the largest, is of first order."""
    errors = [
        (solver.solve(exact, start(), time_grid(steps)) - (MEAN + VARIANCE**0.5 * start())).abs().max().item()
        for steps in (50, 100)
    ]
    assert errors[1] < 0.6 * errors[0] and errors[1] < 0.03


def test_the_precision_of_the_state_is_kept(solver):
    for kind in (torch.float32, torch.float64):
        assert solver.solve(exact, start().to(kind), time_grid(3)).dtype == kind
