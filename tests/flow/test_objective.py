import torch

from asymflow.flow.asymmetric import complement, project, recover
from asymflow.flow.objective import flow_matching_loss
from asymflow.flow.path import interpolate, velocity
from asymflow.subspace.bases import random_basis

B, N, D = 4, 3, 7


def draw():
    generator = torch.Generator().manual_seed(3)
    x_0, eps = (torch.randn(B, N, D, dtype=torch.float64, generator=generator) for _ in range(2))
    return x_0, eps, torch.tensor([0.01, 0.05, 0.4, 1.0], dtype=torch.float64)


def test_loss_of_an_untrained_network_has_its_closed_form():
    """A zero output leaves the residual P (eps - x_0) inside the subspace and -(I - P) x_0 / t outside."""
    x_0, eps, t = draw()
    A = random_basis(D, seed=0)[:, :3]
    x_t = interpolate(x_0, eps, t)
    loss = flow_matching_loss(recover(torch.zeros_like(x_0), x_t, t, A), velocity(x_0, eps), t, 0.05)
    inside = project(eps - x_0, A).square().sum((1, 2))
    outside = complement(x_0, A).square().sum((1, 2)) / t**2
    weight = (t / t.clamp_min(0.05)) ** 2
    torch.testing.assert_close(loss, weight * (inside + outside) / (N * D))


def test_rank_0_loss_is_the_data_error_over_the_floored_noise_level():
    """JiT's loss: |x_0_hat - x_0|^2 / max(t, 0.05)^2."""
    x_0, eps, t = draw()
    guess = torch.randn_like(x_0)
    u_hat = recover(-guess, interpolate(x_0, eps, t), t, random_basis(D, seed=0)[:, :0])
    loss = flow_matching_loss(u_hat, velocity(x_0, eps), t, 0.05)
    torch.testing.assert_close(loss, (guess - x_0).square().mean((1, 2)) / t.clamp_min(0.05) ** 2)


def test_the_floor_leaves_ordinary_noise_levels_alone():
    x_0, eps, t = draw()
    error = flow_matching_loss(torch.zeros_like(x_0), velocity(x_0, eps), t, 0.05)
    unweighted = velocity(x_0, eps).square().mean((1, 2))
    assert torch.equal(error[1:], unweighted[1:])
    torch.testing.assert_close(error[0], unweighted[0] / 25)
