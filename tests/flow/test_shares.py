"""The family of targets: every member reduces to its neighbours, and all give the same velocity of an exact posterior mean."""

import math

import pytest
import torch

from asymflow.flow import asymmetric, preconditioned
from asymflow.flow.path import interpolate, velocity
from asymflow.flow.shares import least_copying, opening, recover, velocity_of
from asymflow.models.targets.spectral import levels
from asymflow.subspace.bases import random_basis

B, N, D = 4, 3, 10
EXACT = dict(rtol=1e-9, atol=1e-9)  # float64 arithmetic, t down to 0.02


@pytest.fixture
def drawn():
    generator = torch.Generator().manual_seed(5)
    x_0, eps = (torch.randn(B, N, D, dtype=torch.float64, generator=generator) for _ in range(2))
    return x_0, eps, torch.tensor([0.02, 0.3, 0.8, 1.0], dtype=torch.float64)


def some_shares():
    return torch.rand(D, dtype=torch.float64, generator=torch.Generator().manual_seed(6))


@pytest.mark.parametrize("s", [0.0, 0.04, 0.5, 1.0, 2.0])
def test_one_share_for_all_is_inverted(drawn, s):
    x_0, eps, t = drawn
    x_t, y, share = interpolate(x_0, eps, t), s * eps - x_0, torch.tensor(s, dtype=torch.float64)
    torch.testing.assert_close(velocity_of(y, x_t, t, share), velocity(x_0, eps), **EXACT)


def test_a_share_for_each_direction_is_inverted_within_the_span_and_beside_it(drawn):
    x_0, eps, t = drawn
    basis, s = random_basis(D, seed=1)[:, :7], some_shares()[:7]
    y = (eps @ basis * s) @ basis.T - x_0
    torch.testing.assert_close(recover(y, interpolate(x_0, eps, t), t, basis, s), velocity(x_0, eps), **EXACT)


@pytest.mark.parametrize("rank", [0, 3, D])
def test_whole_shares_are_the_asymmetric_recovery_with_its_clamp(drawn, rank):
    x_t, y, t = drawn
    A = random_basis(D, seed=1)[:, :rank]
    ones = torch.ones(rank, dtype=torch.float64)
    for sigma_min in (0.0, 0.04, 0.5):
        expected = asymmetric.recover(y, x_t, t, A, 1.0, sigma_min)
        torch.testing.assert_close(recover(y, x_t, t, A, ones, sigma_min), expected, **EXACT)


def test_equal_shares_in_a_basis_are_one_share_without_one(drawn):
    x_t, y, t = drawn
    s = torch.full((D,), 0.2, dtype=torch.float64)
    expected = velocity_of(y, x_t, t, torch.tensor(0.2, dtype=torch.float64))
    torch.testing.assert_close(recover(y, x_t, t, random_basis(D, seed=2), s), expected, **EXACT)


def test_the_clamp_bounds_small_shares_only(drawn):
    x_t, y, t = drawn
    small, large = (torch.tensor(s, dtype=torch.float64) for s in (0.01, 0.3))
    assert not torch.equal(velocity_of(y, x_t, t, small, 0.1), velocity_of(y, x_t, t, small))
    assert torch.equal(velocity_of(y, x_t, t, large, 0.1), velocity_of(y, x_t, t, large))


def test_an_opening_subspace_is_closed_at_noise_and_open_from_the_middle_on():
    t = torch.tensor([1.0, 0.75, 0.5, 0.1])
    torch.testing.assert_close(opening(t).flatten(), torch.tensor([0.0, 1 / 3, 1.0, 1.0]))


def test_an_opening_subspace_is_inverted(drawn):
    x_0, eps, t = drawn
    A = random_basis(D, seed=1)[:, :4]
    y = opening(t) * asymmetric.project(eps, A) - x_0
    torch.testing.assert_close(recover(y, interpolate(x_0, eps, t), t, A, opening(t)), velocity(x_0, eps), **EXACT)


@pytest.mark.parametrize("deviation", [0.25, 0.5, 1.0])
def test_preconditioning_is_inverted_and_is_the_member_whose_share_falls_with_time(drawn, deviation):
    x_0, eps, t = drawn
    x_t, F = interpolate(x_0, eps, t), preconditioned.target(x_0, eps, t, deviation)
    torch.testing.assert_close(preconditioned.recover(F, x_t, t, deviation), velocity(x_0, eps), **EXACT)
    time = t[:, None, None]
    y = -F * deviation * preconditioned.energy(t, deviation).sqrt() / time
    s = deviation**2 * (1 - time) / time
    torch.testing.assert_close(velocity_of(y, x_t, t, s), velocity(x_0, eps), **EXACT)


def test_preconditioning_shows_and_asks_for_unit_variance_of_what_the_input_does_not_tell():
    generator, deviation = torch.Generator().manual_seed(0), 0.5
    x_0 = deviation * torch.randn(1, 200_000, 1, dtype=torch.float64, generator=generator)
    eps = torch.randn(1, 200_000, 1, dtype=torch.float64, generator=generator)
    for level in (0.05, 0.5, 0.95):
        t = torch.tensor([level], dtype=torch.float64)
        shown = interpolate(x_0, eps, t) / preconditioned.energy(t, deviation).sqrt()
        asked = preconditioned.target(x_0, eps, t, deviation)
        assert shown.var().item() == pytest.approx(1, abs=0.02) and asked.var().item() == pytest.approx(1, abs=0.02)
        assert (shown * asked).mean().item() == pytest.approx(0, abs=0.01)


def test_preconditioning_predicts_noise_near_data_and_data_near_noise(drawn):
    x_0, eps, _ = drawn
    near = torch.full((B,), 1e-9, dtype=torch.float64)
    torch.testing.assert_close(preconditioned.target(x_0, eps, near, 0.5), -eps, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(preconditioned.target(x_0, eps, 1 - near, 0.5), x_0 / 0.5, rtol=1e-6, atol=1e-6)


def test_all_targets_recover_the_same_velocity_from_the_exact_posterior_mean_of_a_gaussian():
    """Data of covariance V diag(l) V^T: the best prediction of a x_0 + b eps is W x_t, W = (a (1 - t) l + b t) / d.

    That is the covariance with x_t over its variance. Each target has a W of its own, and all recover that of a = -1, b = 1.
    """
    V, variances = random_basis(D, seed=4), torch.linspace(2.0, 0.02, D, dtype=torch.float64)
    x_t = torch.randn(B, N, D, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    t = torch.tensor([0.02, 0.3, 0.8, 1.0], dtype=torch.float64)
    time = t[:, None, None]

    def best(a, b):
        W = (a * (1 - time) * variances + b * time) / ((1 - time) ** 2 * variances + time**2)
        return (W * (x_t @ V)) @ V.T

    s, A, scalar = some_shares(), V[:, :3], torch.tensor(0.3, dtype=torch.float64)
    first = (torch.arange(D) < 3).double()
    deviation, energy = 0.5, preconditioned.energy(t, 0.5)
    scale = 1 / (deviation * energy.sqrt())
    recovered = {
        "asymmetric": asymmetric.recover(best(-1, first), x_t, t, A),
        "isotropic": velocity_of(best(-1, scalar), x_t, t, scalar),
        "spectral": recover(best(-1, s), x_t, t, V, s),
        "opening": recover(best(-1, opening(t) * first), x_t, t, A, opening(t)),
        "preconditioned": preconditioned.recover(
            best(time * scale, -(1 - time) * deviation**2 * scale), x_t, t, deviation
        ),
    }
    for name, found in recovered.items():
        torch.testing.assert_close(
            found, best(-1, 1), rtol=1e-8, atol=1e-8, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_an_opening_subspace_is_data_prediction_at_noise_and_the_asymmetric_target_from_the_middle_on(drawn):
    x_t, y, t = drawn
    A = random_basis(D, seed=1)[:, :4]
    found = recover(y, x_t, t, A, opening(t), 0.04)
    for index, columns in ((0, A), (1, A), (3, A[:, :0])):  # t of 0.02, 0.3 and 1
        rows = slice(index, index + 1)
        expected = asymmetric.recover(y[rows], x_t[rows], t[rows], columns, 1.0, 0.04)
        torch.testing.assert_close(found[rows], expected, **EXACT)


def test_shares_of_least_copying_are_a_minimum_over_shares():
    """The energy that a linear network copies, E[W^2 d], by brute force over a grid of shares."""
    t, weights = levels(0.8, 0.8, 1.0)
    grid = torch.linspace(0, 1, 2001, dtype=torch.float64)
    for variance in (0.01, 0.1, 1.0):
        d = (1 - t) ** 2 * variance + t**2
        copied = ((grid[:, None] * t - (1 - t) * variance) ** 2 / d) @ weights
        found = least_copying(torch.tensor([variance], dtype=torch.float64), t, weights)
        assert found.item() == pytest.approx(grid[copied.argmin()].item(), abs=6e-4)


def test_shares_of_least_copying_under_jit_s_law_are_those_reckoned_by_hand():
    variances = torch.tensor([0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0], dtype=torch.float64)
    found = least_copying(variances, *levels(0.8, 0.8, 1.0))
    expected = torch.tensor([0.0, 0.006, 0.018, 0.057, 0.156, 0.456, 1.0], dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


def test_levels_have_the_law_of_the_training():
    t, weights = levels(0.5, 1.2, 1.0)
    logit = (t / (1 - t)).log()
    assert (logit @ weights).item() == pytest.approx(0.5, abs=1e-6)
    assert math.sqrt(((logit - 0.5) ** 2 @ weights).item()) == pytest.approx(1.2, rel=2e-3)
