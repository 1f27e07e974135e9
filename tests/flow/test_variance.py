import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asymflow.flow.objective import flow_matching_loss
from asymflow.flow.path import interpolate, velocity
from asymflow.flow.variance import adaptive_weight, denoising_loss, fade, perceptual_weight, reduced_target

B, N, D = 3, 4, 12
FLOOR = 0.05


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_the_weight_is_the_least_squares_solution():
    d, d_L = normal(B, N, D), normal(B, N, D, seed=1)
    d = 0.5 * d_L + 0.1 * d  # so that the clamp does nothing
    weight = adaptive_weight(d, d_L)
    for b in range(B):
        for n in range(N):
            best = torch.linalg.lstsq(d_L[b, n, :, None], d[b, n, :, None]).solution.item()
            assert weight[b, n, 0].item() == pytest.approx(best, rel=1e-12)


def test_known_weights():
    d_L = normal(B, N, D)
    assert torch.allclose(adaptive_weight(d_L, d_L), torch.ones(B, N, 1, dtype=d_L.dtype))
    assert torch.equal(adaptive_weight(-d_L, d_L), torch.zeros(B, N, 1, dtype=d_L.dtype)), "never adds variance"
    assert torch.allclose(adaptive_weight(3 * d_L, d_L), torch.ones(B, N, 1, dtype=d_L.dtype)), "never over-corrects"
    assert torch.equal(adaptive_weight(d_L, 0 * d_L), torch.zeros(B, N, 1, dtype=d_L.dtype)), "nothing to subtract"


def test_the_official_weight_is_one_for_each_channel_and_has_a_floor():
    d, d_L = normal(B, N, D), normal(B, N, D, seed=1)
    weight = adaptive_weight(d, d_L, groups=3)
    for channel in range(3):
        part = slice(channel * D // 3, (channel + 1) * D // 3)
        assert torch.allclose(weight[..., channel], adaptive_weight(d[..., part], d_L[..., part])[..., 0])
    faint = 1e-3 * d_L
    assert torch.allclose(adaptive_weight(faint, faint, floor=1e-4)[..., 0], faint.square().mean(-1) / 1e-4), (
        "below the floor"
    )


def test_no_gradient_goes_through_the_weight_or_the_control_variate():
    d = normal(B, N, D).requires_grad_()
    d_L = normal(B, N, D, seed=1).requires_grad_()
    target = reduced_target(normal(B, N, D, seed=2), d_L, adaptive_weight(d, d_L), torch.full((B,), 0.5).double())
    assert not target.requires_grad


@given(st.floats(1e-3, 1 - 1e-3))
def test_the_fade_falls_from_data_to_noise(t):
    omega = fade(torch.tensor([0.0, t, 1.0], dtype=torch.float64), 0.3)
    assert omega[0] == 1 and omega[2] == 0 and 0 < omega[1] < 1
    assert fade(torch.tensor([0.5], dtype=torch.float64), 0.3).item() == pytest.approx(1 / 1.09, rel=1e-12)
    assert fade(torch.tensor([1 / 1.3], dtype=torch.float64), 0.3).item() == pytest.approx(0.5)


def test_full_weight_without_fade_takes_the_frozen_model_s_error_away():
    x_0, d_L, zero = normal(B, N, D), normal(B, N, D, seed=1), torch.zeros(B, dtype=torch.float64)
    one = torch.ones(B, N, 1, dtype=torch.float64)
    assert torch.allclose(reduced_target(x_0, d_L, one, zero), x_0 - d_L)
    assert torch.equal(reduced_target(x_0, d_L, one, zero + 1), x_0), "faded: the plain target"
    assert torch.equal(reduced_target(x_0, d_L, 0 * one, zero), x_0)


def test_each_channel_of_a_patch_loses_its_own_share_and_each_image_what_has_not_faded():
    """Tokens are in (channel, row, column) order: the first third of their numbers is of the first channel."""
    x_0, d_L = normal(B, N, D), normal(B, N, D, seed=1)
    weight = torch.tensor([1, 0.5, 0], dtype=torch.float64).expand(B, N, 3)
    target = reduced_target(x_0, d_L, weight, torch.tensor([0, 0.75, 1], dtype=torch.float64))
    for image, unfaded in enumerate((1, 0.25, 0)):
        expected = x_0[image].clone()
        expected[:, : D // 3] -= unfaded * d_L[image, :, : D // 3]
        expected[:, D // 3 : 2 * D // 3] -= 0.5 * unfaded * d_L[image, :, D // 3 : 2 * D // 3]
        torch.testing.assert_close(target[image], expected, rtol=1e-12, atol=1e-12)


def test_with_the_plain_target_it_is_the_flow_matching_loss():
    x_0, eps, u_hat = (normal(B, N, D, seed=seed) for seed in range(3))
    t = torch.tensor([0.05, 0.4, 1.0], dtype=torch.float64)
    x_0_hat = interpolate(x_0, eps, t) - t[:, None, None] * u_hat
    expected = flow_matching_loss(u_hat, velocity(x_0, eps), t, FLOOR)
    assert torch.allclose(denoising_loss(x_0_hat, x_0, t, FLOOR), expected, rtol=1e-12)
    assert torch.allclose(denoising_loss(x_0_hat, x_0, t / 10, FLOOR)[0], expected[0]), (
        "below the floor it stops to grow"
    )


def test_places_weigh_its_tokens_as_they_do_in_the_flow_matching_loss():
    x_0, eps, u_hat = (normal(B, N, D, seed=seed) for seed in range(3))
    t = torch.tensor([0.05, 0.4, 1.0], dtype=torch.float64)
    x_0_hat = interpolate(x_0, eps, t) - t[:, None, None] * u_hat
    places = torch.tensor([[4, 0, 0, 0], [1, 1, 1, 1], [0.5, 2, 1, 0.5]], dtype=torch.float64)
    loss = denoising_loss(x_0_hat, x_0, t, FLOOR, places)
    expected = flow_matching_loss(u_hat, velocity(x_0, eps), t, FLOOR, places)
    assert torch.allclose(loss, expected, rtol=1e-12)
    assert torch.allclose(loss[0], (x_0_hat - x_0)[0, 0].square().mean() / t[0] ** 2, rtol=1e-12)
    plain = denoising_loss(x_0_hat, x_0, t, FLOOR)
    assert torch.allclose(loss[1], plain[1], rtol=1e-12) and not torch.allclose(loss[2], plain[2], rtol=1e-3)


def test_it_keeps_the_conditional_mean_and_takes_variance_away():
    """Gaussian pixels of which the low-rank part is one factor: posterior means in closed form, and a patch of many draws."""
    count, t = 200_000, 0.7
    low, high, eps = normal(count, seed=1), 0.3 * normal(count, seed=2), normal(count, seed=3)
    x_0 = low + high
    x_t, x_t_L = (1 - t) * x_0 + t * eps, (1 - t) * low + t * eps
    mean = (1 - t) * 1.09 / ((1 - t) ** 2 * 1.09 + t**2) * x_t  # E[x_0 | x_t]
    frozen = (1 - t) / ((1 - t) ** 2 + t**2) * x_t_L  # E[x_0^L | x_t^L]
    residual, d_L = x_0 - mean, (low - frozen)[None, None]
    weight = adaptive_weight(residual[None, None], d_L)
    reduced = reduced_target(x_0[None, None], d_L, weight, torch.zeros(1, dtype=torch.float64))[0, 0] - mean
    assert reduced.var() < 0.2 * residual.var()
    # the mean moves by as much as E[x_0^L | x_t^L] differs from E[x_0^L | x_t]: here a little, at t = 1 not at all
    slope = (reduced * x_t).mean() / x_t.square().mean()
    known = ((1 - t) / ((1 - t) ** 2 + t**2) * ((1 - t) ** 2 + t**2) - (1 - t)) / x_t.square().mean()
    assert slope.item() == pytest.approx(known.item(), abs=3e-3)


def test_the_perceptual_weight():
    weight, omega = torch.rand(B, N, 3).double(), torch.tensor([0.0, 0.5, 1.0]).double()
    t = torch.tensor([1.0, 0.5, 0.01]).double()
    value = perceptual_weight(weight, omega, t, FLOOR)
    assert torch.equal(value[0], torch.zeros(N, dtype=torch.float64))
    assert torch.allclose(value[2], weight[2].square().mean(-1).sqrt() / FLOOR**2)
    assert torch.allclose(perceptual_weight(weight[..., :1], omega, t, FLOOR)[1], 0.5 * weight[1, :, 0] / 0.25)
