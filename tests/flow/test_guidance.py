import pytest
import torch

from asymflow.flow.guidance import guide, guided, in_interval
from asymflow.flow.solver import time_grid

U_C, U_U = torch.tensor([[1.0, 4.0]]), torch.tensor([[3.0, 1.0]])


def count_guided(steps, interval):
    return sum(in_interval(t, interval) for t in time_grid(steps)[:-1])


def test_scale_1_is_the_conditional_velocity_and_scale_0_the_unconditional():
    assert torch.equal(guide(U_C, U_U, 1.0), U_C)
    assert torch.equal(guide(U_C, U_U, 0.0), U_U)


def test_scale_extrapolates_away_from_the_unconditional_velocity():
    assert torch.equal(guide(U_C, U_U, 2.5), torch.tensor([[-2.0, 8.5]]))


@pytest.mark.parametrize(("high", "points"), [(0.88, 44), (0.82, 41), (1.0, 50), (0.9, 45)])
def test_the_interval_is_closed_on_the_grid_of_fifty_steps(high, points):
    """The counts of the official sampler, whose 0.88 and 0.82 fall on grid points and are guided."""
    assert count_guided(50, (0.0, high)) == points


def test_no_unconditional_evaluation_outside_the_interval_or_at_scale_1():
    def fail(x, t):
        raise AssertionError("evaluated for nothing")

    for scale, interval in ((1.0, (0.0, 1.0)), (3.0, (0.0, 0.5))):
        field = guided(lambda x, t: x, fail, scale, interval)
        assert torch.equal(field(U_C, 0.7), U_C)


def test_guidance_acts_inside_the_interval():
    field = guided(lambda x, t: U_C, lambda x, t: (U_C, U_U), 2.0, (0.1, 0.5))
    assert torch.equal(field(U_C, 0.1), guide(U_C, U_U, 2.0))
    assert torch.equal(field(U_C, 0.5), guide(U_C, U_U, 2.0))
    assert torch.equal(field(U_C, 0.51), U_C)
