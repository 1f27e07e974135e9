"""Models of other targets than the paper's: what the network sees, and what its prediction means."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from asymflow import parts
from asymflow.config.arm import Arm
from asymflow.flow.forcing import low_pass
from asymflow.flow.path import interpolate, velocity
from asymflow.flow.shares import least_copying
from asymflow.models.condition import Condition, presence
from asymflow.models.targets import asymmetric, forced, isotropic, opening, preconditioned, spectral
from asymflow.subspace.bases import random_basis
from asymflow.subspace.file import Subspace
from asymflow.subspace.patches import CHANNEL_LAST, patchify

P, GRID = 2, (2, 3)
D, B = 3 * P * P, 2
N = GRID[0] * GRID[1]
SPECTRUM = torch.linspace(2.0, 0.05, D, dtype=torch.float64)
FITTED = Subspace(random_basis(D, seed=0), SPECTRUM, "pca", P, CHANNEL_LAST, "rgb", "a test", 100)
KINDS = {
    "asymmetric": {"rank": 3},
    "isotropic": {"share": 0.3},
    "spectral": {},
    "opening": {"rank": 3},
    "preconditioned": {},
    "forced": {},
}


class Answer(nn.Module):
    """A network that keeps what it is shown and answers with a fixed prediction."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, x, t, condition):
        self.x, self.t = x, t
        return self.answer


def arm(kind, **settings):
    return Arm(representation={"patch_size": P}, target={"kind": kind, **settings})


def model(configured, answer):
    module = parts.load(parts.target(configured))
    return module.build(configured, Answer(answer), module.subspace(configured, FITTED), 1.0, torch.float32)


@pytest.fixture
def drawn():
    generator = torch.Generator().manual_seed(1)
    x_0, eps = (torch.randn(B, N, D, generator=generator) for _ in range(2))
    t = torch.tensor([0.2, 0.9])
    return x_0, eps, t, interpolate(x_0, eps, t), Condition(presence([], B), GRID)


def test_every_kind_is_known_to_a_test():
    assert set(parts.TARGETS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_perfect_prediction_of_a_target_is_the_velocity(drawn, kind):
    x_0, eps, t, x_t, condition = drawn
    configured = arm(kind, **KINDS[kind])
    A = parts.load(parts.target(configured)).subspace(configured, FITTED)
    if kind == "preconditioned":
        d = (1 - t) ** 2 * SPECTRUM.mean() + t**2
        prediction = (t[:, None, None] * x_0 - (1 - t)[:, None, None] * SPECTRUM.mean() * eps) / (
            SPECTRUM.mean() * d
        ).sqrt()[:, None, None]
    elif kind == "opening":
        prediction = ((1 - t) / t).clamp_max(1)[:, None, None] * (eps @ A @ A.T) - x_0
    else:
        prediction = eps @ A @ A.T - x_0
    found = model(configured, prediction.float())(x_t, t, condition, sigma_min=0.0)
    torch.testing.assert_close(found, velocity(x_0, eps), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_made_again_from_the_subspace_that_its_file_keeps(drawn, kind):
    """Sampling has A and the configuration, and not the file that A came from."""
    x_0, _, t, x_t, condition = drawn
    configured = arm(kind, **KINDS[kind])
    first = model(configured, x_0)
    again = parts.load(parts.target(configured)).build(configured, Answer(x_0), first.A.clone(), 1.0, torch.float32)
    results = [m(x_t, t, condition, sigma_min=0.04) for m in (first, again)]
    assert torch.equal(*results)


class Oracle(nn.Module):
    """The best prediction of a x_0 + b eps from x_t for Gaussian patches of the fitted covariance, which is linear."""

    def __init__(self, x_t, a, b):
        super().__init__()
        self.x_t, self.a, self.b = x_t, a, b

    def forward(self, x, t, condition):
        time, basis = t[:, None, None], FITTED.basis.float()
        W = (self.a * (1 - time) * SPECTRUM + self.b * time) / ((1 - time) ** 2 * SPECTRUM + time**2)
        return (W.float() * (self.x_t @ basis)) @ basis.T


def shares(kind, time):
    """a and b of a target, direction by direction, from its definition."""
    first = (torch.arange(D) < 3).double()
    match kind:
        case "asymmetric":
            return -1, first
        case "isotropic" | "learnt":
            return -1, torch.tensor(0.3)
        case "opening":
            return -1, ((1 - time) / time).clamp_max(1) * first
        case "spectral":
            law = arm(kind).training
            return -1, least_copying(SPECTRUM, *spectral.levels(law.time_mean, law.time_std, law.shift))
        case "preconditioned":
            variance = SPECTRUM.mean()
            scale = (variance * ((1 - time) ** 2 * variance + time**2)).sqrt()
            return time / scale, -(1 - time) * variance / scale
        case "forced":  # the low-pass keeps something of every frequency, so its input tells as much
            return -1, torch.tensor(0.0)


@pytest.mark.parametrize("kind", [*KINDS, "learnt"])
def test_every_model_has_the_same_velocity_of_the_exact_posterior_mean_of_gaussian_patches(drawn, kind):
    _, _, t, x_t, condition = drawn
    configured = arm("isotropic", share=0.3, learnt=True) if kind == "learnt" else arm(kind, **KINDS[kind])
    made = model(configured, None)
    made.network.forward = Oracle(x_t, *shares(kind, t[:, None, None])).forward  # a learnt share stays where it is
    expected = Oracle(x_t, -1, torch.tensor(1.0))(x_t, t, condition)
    torch.testing.assert_close(made(x_t, t, condition, sigma_min=0.0), expected, rtol=1e-4, atol=1e-4)


def test_a_learnt_share_begins_as_the_given_one(drawn):
    x_0, _, t, x_t, condition = drawn
    learnt, given = (model(arm("isotropic", share=0.3, learnt=flag), x_0) for flag in (True, False))
    results = [m(x_t, t, condition, sigma_min=0.04) for m in (learnt, given)]
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-5)


def test_shares_of_the_spectrum_are_one_share_where_it_is_flat_and_the_asymmetric_target_where_they_are_whole(drawn):
    x_0, _, t, x_t, condition = drawn
    flat = replace(FITTED, spectrum=torch.full((D,), 0.4, dtype=torch.float64))
    steep = replace(FITTED, spectrum=torch.tensor([1e6] * 3 + [0.0] * (D - 3), dtype=torch.float64))
    A = spectral.subspace(arm("spectral"), flat)
    pairs = ((flat, arm("isotropic", share=A[:, 0].square().sum().item())), (steep, arm("asymmetric", rank=3)))
    for fitted, other in pairs:
        mine = spectral.build(
            arm("spectral"), Answer(x_0), spectral.subspace(arm("spectral"), fitted), 1.0, torch.float32
        )
        results = [m(x_t, t, condition, sigma_min=0.04) for m in (mine, model(other, x_0))]
        torch.testing.assert_close(*results, rtol=1e-4, atol=1e-4)


def test_a_share_of_0_is_rank_0_and_of_1_full_rank(drawn):
    x_0, _, t, x_t, condition = drawn
    for share, rank in ((0.0, 0), (1.0, "full")):
        mine, theirs = (
            model(arm(kind, **settings), x_0)(x_t, t, condition, sigma_min=0.04)
            for kind, settings in (("isotropic", {"share": share}), ("asymmetric", {"rank": rank}))
        )
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


def test_a_learnt_share_is_trained_and_told_as_k(drawn):
    x_0, eps, t, x_t, condition = drawn
    made = model(arm("isotropic", share=1.0, learnt=True), 0.5 * eps - x_0)
    assert made.numbers() == {"k": pytest.approx(0.5)} and "logit" in dict(made.network.named_parameters())
    optimiser = torch.optim.Adam(made.parameters(), lr=0.05)
    for _ in range(200):
        optimiser.zero_grad()
        (made(x_t, t, condition, sigma_min=0.0) - velocity(x_0, eps)).square().mean().backward()
        optimiser.step()
    assert made.numbers()["k"] == pytest.approx(1 / 1.5, abs=1e-3), "what the network predicts has the share 0.5"


def test_a_given_share_is_not_trained_and_not_told():
    made = model(arm("isotropic", share=0.3), torch.zeros(B, N, D))
    assert not list(made.parameters()) and made.numbers() == {}


def test_shuffled_shares_are_the_same_shares_of_other_directions():
    own, other = (spectral.subspace(arm("spectral", shuffled=flag), FITTED) for flag in (False, True))
    torch.testing.assert_close(own.norm(dim=0), other.norm(dim=0))
    overlap = (FITTED.basis.float().T @ other / other.norm(dim=0)).abs()
    torch.testing.assert_close(overlap.sort(dim=0).values[-1], torch.ones(D), rtol=1e-4, atol=1e-4)
    assert not torch.equal(overlap.argmax(dim=0), torch.arange(D))


def test_directions_without_variance_have_no_share_and_are_left_out():
    flat = replace(FITTED, spectrum=torch.cat([SPECTRUM[:4], torch.zeros(D - 4, dtype=torch.float64)]))
    A = spectral.subspace(arm("spectral"), flat)
    assert (
        A.shape == (D, 4)
        and torch.isfinite(spectral.build(arm("spectral"), nn.Identity(), A, 1.0, torch.float32).B).all()
    )


def test_preconditioning_measures_the_deviation_or_takes_the_given_one(drawn):
    x_0, _, t, x_t, condition = drawn
    measured, given = (model(arm("preconditioned", **s), x_0) for s in ({}, {"deviation": 0.5}))
    assert measured.deviation == pytest.approx(math.sqrt(SPECTRUM.mean())) and given.deviation == 0.5
    given(x_t, t, condition, sigma_min=0.0)
    expected = x_t / ((1 - t) ** 2 * 0.25 + t**2).sqrt()[:, None, None]
    torch.testing.assert_close(given.network.x, expected)


def test_a_forced_network_sees_the_whole_image_through_the_low_pass(drawn):
    x_0, _, t, _, condition = drawn
    images = torch.randn(B, 3, GRID[0] * P, GRID[1] * P, generator=torch.Generator().manual_seed(2))
    x_t = patchify(images, P)
    made, plain = (
        model(arm(kind, **KINDS[kind] | s), x_0) for kind, s in (("forced", {}), ("asymmetric", {"rank": 0}))
    )
    results = [m(x_t, t, condition, sigma_min=0.04) for m in (made, plain)]
    torch.testing.assert_close(made.network.x, patchify(low_pass(images, t), P))
    assert torch.equal(plain.network.x, x_t) and torch.equal(*results), "the recovery takes what is there"


def test_modules_of_targets_have_the_same_two_functions():
    for module in (asymmetric, forced, isotropic, opening, preconditioned, spectral):
        assert callable(module.subspace) and callable(module.build)
