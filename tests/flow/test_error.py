"""Errors by directions against sums over all numbers, and the noise against the path that it came from."""

import torch

from asymflow.flow.error import inner_products, predicted_noise
from asymflow.flow.path import interpolate, velocity

D, ENDS = 12, [2, 5, 12]


def tokens(seed):
    return torch.randn(3, 4, D, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def directions():
    return torch.linalg.qr(tokens(9).flatten(0, 1)).Q


def test_groups_add_up_to_the_mean_over_all_numbers():
    x, y = tokens(0), tokens(1)
    groups = inner_products(x, y, directions(), ENDS)
    assert groups.shape == (3, 3)
    torch.testing.assert_close(groups.sum(1), (x * y).mean((1, 2)))


def test_a_group_sees_its_own_directions_alone():
    inside = tokens(0)[..., :3] @ directions()[:, 2:5].T
    groups = inner_products(inside, inside, directions(), ENDS)
    torch.testing.assert_close(groups[:, 1], inside.square().mean((1, 2)))
    assert groups[:, [0, 2]].abs().max() < 1e-25


def test_the_noise_of_the_true_velocity_is_the_noise():
    x_0, eps, t = tokens(0), tokens(1), torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    x_t = interpolate(x_0, eps, t)
    torch.testing.assert_close(predicted_noise(x_t, velocity(x_0, eps), t), eps)
