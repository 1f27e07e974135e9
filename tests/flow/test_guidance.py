import pytest
import torch

from asymflow.flow.guidance import (
    guide,
    guide_by_routing,
    guide_orthogonally,
    guide_twice,
    in_interval,
)
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


def images(seed):
    return torch.randn(2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_orthogonal_guidance_pushes_across_the_conditional_image_alone():
    u_c, u_u, x_t, t = images(0), images(1), images(2), 0.6
    x_0, push = x_t - t * u_c, guide_orthogonally(u_c, u_u, 4.0, x_t, t) - u_c
    assert (push * x_0).sum((1, 2)).abs().max() < 1e-12
    removed = guide(u_c, u_u, 4.0) - u_c - push
    for one, image in zip(removed, x_0, strict=True):  # a multiple of each image, of another one for each
        ratio = one / image
        assert torch.allclose(ratio, ratio[0, 0].expand_as(ratio))


def test_orthogonal_guidance_of_scale_1_is_none_and_of_orthogonal_differences_is_the_plain_one():
    u_c, x_t, t = images(0), images(2), 0.6
    assert torch.equal(guide_orthogonally(u_c, images(1), 1.0, x_t, t), u_c)
    x_0 = x_t - t * u_c
    across = images(3)
    across -= x_0 * (across * x_0).sum((1, 2), keepdim=True) / x_0.square().sum((1, 2), keepdim=True)
    assert torch.allclose(guide_orthogonally(u_c, u_c - across, 4.0, x_t, t), guide(u_c, u_c - across, 4.0))
    black = guide_orthogonally(u_c, images(1), 4.0, t * u_c, t)  # an image that is exactly zero has no direction
    assert torch.allclose(black, guide(u_c, images(1), 4.0))


def test_guidance_by_two_conditions_adds_the_push_of_each():
    u_none, u_text, u_image = torch.tensor([1.0]), torch.tensor([3.0]), torch.tensor([0.0])
    assert torch.equal(guide_twice(u_none, u_text, u_image, 3.0, 2.5), torch.tensor([1.0 + 3 * 2.0 - 2.5 * 1.0]))


def test_one_of_two_conditions_alone_is_ordinary_guidance():
    assert torch.equal(guide_twice(U_U, U_C, U_U, 2.5, 7.0), guide(U_C, U_U, 2.5))


def test_self_guidance_of_scale_1_is_the_dense_velocity_and_of_0_the_routed_one():
    assert torch.equal(guide_by_routing(U_C, U_U, 1.0), U_C)
    assert torch.equal(guide_by_routing(U_C, U_U, 0.0), U_U)
    assert torch.equal(guide_by_routing(U_C, U_U, 3.0), U_U + 3 * (U_C - U_U))
