"""The parameterisation: identities of the method, checked in float64 on small odd shapes."""

import pytest
import torch

from asymflow.flow.asymmetric import calibration, complement, project, recover, target
from asymflow.flow.path import denoised, interpolate, velocity
from asymflow.subspace.bases import random_basis

B, N, D = 3, 5, 11
EXACT = dict(rtol=1e-10, atol=1e-10)  # float64 arithmetic, t down to 0.05


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(1)
    x_0, eps = (torch.randn(B, N, D, dtype=torch.float64, generator=generator) for _ in range(2))
    t = 0.05 + 0.95 * torch.rand(B, dtype=torch.float64, generator=generator)
    return x_0, eps, t


def columns(rank):
    return random_basis(D, seed=2)[:, :rank]


@pytest.mark.parametrize("rank", [0, 1, 4, D])
def test_projecting_twice_is_projecting_once(pair, rank):
    x, _, _ = pair
    A = columns(rank)
    torch.testing.assert_close(project(project(x, A), A), project(x, A), **EXACT)


@pytest.mark.parametrize("rank", [0, 1, 4, D])
def test_the_two_components_are_orthogonal_and_add_up(pair, rank):
    x, _, _ = pair
    A = columns(rank)
    inside, outside = project(x, A), complement(x, A)
    torch.testing.assert_close(inside + outside, x, **EXACT)
    torch.testing.assert_close((inside * outside).sum(-1), torch.zeros(B, N, dtype=torch.float64), **EXACT)


@pytest.mark.parametrize("rank", [0, 1, 4, D])
@pytest.mark.parametrize("s", [1.0, 0.6, 1.7])
def test_recovery_inverts_the_target(pair, rank, s):
    x_0, eps, t = pair
    A = columns(rank)
    u_hat = recover(target(x_0, eps, A, s), interpolate(x_0, eps, t), t, A, s)
    torch.testing.assert_close(u_hat, velocity(x_0, eps), **EXACT)


def test_components_of_the_target_are_velocity_inside_and_minus_data_outside(pair):
    x_0, eps, _ = pair
    A = columns(4)
    u_A = target(x_0, eps, A)
    torch.testing.assert_close(project(u_A, A), project(velocity(x_0, eps), A), **EXACT)
    torch.testing.assert_close(complement(u_A, A), -complement(x_0, A), **EXACT)


def test_rank_0_is_data_prediction_up_to_sign(pair):
    x_0, eps, t = pair
    x_t, guess = interpolate(x_0, eps, t), torch.randn_like(x_0)
    by_data = (x_t - guess) / t[:, None, None]
    torch.testing.assert_close(recover(-guess, x_t, t, columns(0)), by_data, **EXACT)


def test_full_rank_is_velocity_prediction_even_at_the_smallest_noise_in_float32(pair):
    x_0, eps, _ = (x.float() for x in pair)
    t = torch.full((B,), 1e-4)
    A = columns(D).float()
    u_A = velocity(x_0, eps)
    # the subtraction x - P x leaves round-off of 1e-7, which a division by 1e-4 would turn into 1e-3
    torch.testing.assert_close(recover(u_A, interpolate(x_0, eps, t), t, A), u_A, rtol=1e-5, atol=1e-5)


def test_scale_1_is_exactly_the_uncalibrated_formula(pair):
    x_0, eps, t = (x.float() for x in pair)
    A = columns(4).float()
    x_t, u_A = interpolate(x_0, eps, t), torch.randn_like(x_0)
    assert torch.equal(calibration(t, 1.0), torch.ones_like(t))
    plain = project(u_A, A) + complement(x_t + u_A, A) / t[:, None, None]
    assert torch.equal(recover(u_A, x_t, t, A, s=1.0), plain)


@pytest.mark.parametrize("s", [0.6, 1.7])
def test_calibrated_time_matches_the_signal_to_noise_ratio(s):
    t = torch.linspace(0.01, 1, 7, dtype=torch.float64)
    tau = calibration(t, s) * t
    torch.testing.assert_close((1 - tau) / tau, s * (1 - t) / t)
    torch.testing.assert_close(tau[-1], torch.tensor(1.0, dtype=torch.float64))


def test_calibrated_input_of_lifted_data_is_the_noisy_latent(pair):
    _, eps, t = pair
    s, A = 0.6, columns(4)
    z_0 = torch.randn(B, N, 4, dtype=torch.float64)
    x_t = interpolate(s * z_0 @ A.T, eps, t)
    k = calibration(t, s)
    torch.testing.assert_close((k[:, None, None] * x_t) @ A, interpolate(z_0, eps @ A, k * t), **EXACT)


def test_the_clamp_acts_below_sigma_min_and_nowhere_else(pair):
    x_0, eps, _ = pair
    A, t = columns(4), torch.tensor([0.01, 0.04, 0.5], dtype=torch.float64)
    x_t, u_A = interpolate(x_0, eps, t), target(x_0, eps, A)
    free, clamped = recover(u_A, x_t, t, A), recover(u_A, x_t, t, A, sigma_min=0.04)
    assert torch.equal(free[1:], clamped[1:])
    torch.testing.assert_close(complement(clamped[0], A), complement(free[0], A) * 0.01 / 0.04, **EXACT)
    torch.testing.assert_close(project(clamped[0], A), project(free[0], A), **EXACT)


def test_a_velocity_points_back_to_its_data(pair):
    x_0, eps, t = pair
    torch.testing.assert_close(denoised(interpolate(x_0, eps, t), velocity(x_0, eps), t), x_0, **EXACT)
