"""UniPC against fields whose solution is known."""

import pytest
import torch

from asymflow.flow.solver import euler, time_grid
from asymflow.sampling.solvers.unipc import solve

MEAN, VARIANCE = 0.7, 0.04


def exact(x, t):
    """The velocity field of data from N(MEAN, VARIANCE)."""
    x_0 = MEAN + (1 - t) * VARIANCE / ((1 - t) ** 2 * VARIANCE + t**2) * (x - (1 - t) * MEAN)
    return (x - x_0) / t


def start():
    return torch.randn(4, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def error(solver, times):
    return (solver(exact, start(), times) - (MEAN + VARIANCE**0.5 * start())).abs().max().item()


def test_it_needs_fewer_evaluations_than_euler():
    assert error(solve, time_grid(16)) < 0.5 * error(euler, time_grid(16))


@pytest.mark.parametrize("shift", [1.0, 5.0])
def test_it_converges_by_the_second_order_where_euler_does_by_the_first(shift):
    """Four times the steps: a sixteenth of the error, here within a factor of two, against a quarter of Euler's."""
    coarse, fine = time_grid(64, shift), time_grid(256, shift)
    assert error(solve, fine) < error(solve, coarse) / 8
    assert error(euler, fine) > error(euler, coarse) / 5


def test_each_step_evaluates_the_velocity_once_at_the_grid_s_own_levels():
    seen = []

    def field(x, t):
        seen.append(t)
        return exact(x, t)

    times = time_grid(8, 17.0)
    solve(field, start(), times)
    assert seen == times[:-1]
    assert times[4] == pytest.approx(17 * 0.5 / (1 + 16 * 0.5)) and times[0] == 1 and times[-1] == 0


def test_a_constant_velocity_is_followed_exactly():
    """A straight path: x_0 = x_1 - u whatever the grid."""
    x_1 = start()
    target = x_1 - 1
    result = solve(lambda x, t: (x - target) / t, x_1, time_grid(5, 3.0))
    assert torch.allclose(result, target, atol=1e-5)  # it begins at a level of 1 - 1e-6
