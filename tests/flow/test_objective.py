import torch

from asymflow.flow.asymmetric import complement, project, recover
from asymflow.flow.objective import flow_matching_loss, mean_square
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


def test_places_of_equal_weight_change_nothing():
    x_0, eps, t = draw()
    guess, u = torch.randn_like(x_0), velocity(x_0, eps)
    weighed = flow_matching_loss(guess, u, t, 0.05, torch.ones(B, N, dtype=torch.float64))
    torch.testing.assert_close(weighed, flow_matching_loss(guess, u, t, 0.05), rtol=1e-14, atol=0)  # other sums


def test_places_weigh_whole_tokens_of_each_image():
    """By hand: two images of three tokens with two values, errors (1, 1), (2, 0), (0, 3) and (0, 1), (1, 2), (2, 2)."""
    error = torch.tensor([[[1, 1], [2, 0], [0, 3]], [[0, 1], [1, 2], [2, 2]]], dtype=torch.float64)
    places = torch.tensor([[3, 0, 0], [0.5, 0.5, 2]], dtype=torch.float64)
    t = torch.tensor([0.5, 0.01], dtype=torch.float64)
    # 3 (1 + 1) / 2 / 3 = 1; (0.5 (0 + 1) / 2 + 0.5 (1 + 4) / 2 + 2 (4 + 4) / 2) / 3 = 19 / 6, floored by (0.01 / 0.05)^2
    expected = torch.tensor([1, 19 / 6 / 25], dtype=torch.float64)
    torch.testing.assert_close(flow_matching_loss(error, torch.zeros_like(error), t, 0.05, places), expected)
    torch.testing.assert_close(mean_square(error, places), torch.tensor([1, 19 / 6], dtype=torch.float64))


def test_a_place_of_no_weight_has_no_gradient():
    x_0, eps, t = draw()
    guess = torch.randn_like(x_0).requires_grad_()
    places = torch.tensor([1.5, 0, 1.5], dtype=torch.float64).expand(B, N)
    flow_matching_loss(guess, velocity(x_0, eps), t, 0.05, places).sum().backward()
    assert not guess.grad[:, 1].any() and guess.grad[:, [0, 2]].all()
