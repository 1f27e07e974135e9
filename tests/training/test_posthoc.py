"""Averages of any length, put together afterwards: against quadrature, and against averages that were kept all along."""

from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from asymflow.config.arm import Arm
from asymflow.config.contradictions import FEWEST_SNAPSHOTS
from asymflow.config.sampling import LONGEST, SHORTEST
from asymflow.models.condition import Shapes
from asymflow.training.averages import Power
from asymflow.training.checkpoint import save_model
from asymflow.training.posthoc import Profile, coefficients, gamma_of, length_of, overlap, reconstruct

PAIR = (16.97, 6.94)  # of Karras et al.: lengths 0.05 and 0.1


def density(profile, t):
    return (profile.gamma + 1) * t**profile.gamma / profile.time ** (profile.gamma + 1) if t <= profile.time else 0.0


def kept(snapshots, images=1.0):
    return [Profile(gamma, images * (n + 1) / snapshots) for n in range(snapshots) for gamma in PAIR]


@pytest.mark.parametrize(("gamma", "length"), [(16.97, 0.05), (6.94, 0.1), (0.0, 12**-0.5)])
def test_a_length_is_the_published_one_of_its_exponent_and_back(gamma, length):
    assert length_of(gamma) == pytest.approx(length, abs=1e-4)
    assert gamma_of(length_of(gamma)) == pytest.approx(gamma, abs=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 2.5, 6.94, 40.0])
def test_a_length_is_the_standard_deviation_of_the_profile(gamma):
    profile = Profile(gamma, 1.0)
    mean = quad(lambda t: t * density(profile, t), 0, 1)[0]
    square = quad(lambda t: t**2 * density(profile, t), 0, 1)[0]
    assert length_of(gamma) == pytest.approx((square - mean**2) ** 0.5, rel=1e-6)


@pytest.mark.parametrize(
    ("a", "b"), [(Profile(3.0, 0.4), Profile(7.0, 0.9)), (Profile(16.97, 1.0), Profile(6.94, 1.0))]
)
def test_an_overlap_is_the_integral_of_the_product_in_either_order(a, b):
    integral = quad(lambda t: density(a, t) * density(b, t), 0, min(a.time, b.time))[0]
    assert overlap(a, b) == pytest.approx(integral, rel=1e-8)
    assert overlap(b, a) == overlap(a, b)


def test_what_was_kept_is_found_again():
    for number, profile in enumerate(kept(5)):
        if profile.time == 1:
            mixture, distance = coefficients(kept(5), profile)
            assert mixture == pytest.approx(np.eye(10)[number], abs=1e-6) and distance < 1e-6


def test_shares_sum_to_one_and_do_not_depend_on_how_long_the_training_was():
    for length in (0.03, 0.07, 0.2):
        wanted = gamma_of(length)
        mixture, distance = coefficients(kept(4), Profile(wanted, 1.0))
        scaled, same = coefficients(kept(4, images=40_000), Profile(wanted, 40_000))
        assert mixture.sum() == pytest.approx(1, abs=1e-9)
        assert scaled == pytest.approx(mixture, rel=1e-6) and same == pytest.approx(distance, rel=1e-6)


def test_every_length_that_may_be_asked_for_is_near_and_more_snapshots_bring_it_nearer():
    lengths = np.geomspace(SHORTEST, LONGEST, 9)
    distances = {
        n: [coefficients(kept(n), Profile(gamma_of(x), 1.0))[1] for x in lengths] for n in (FEWEST_SNAPSHOTS, 8, 16)
    }
    assert max(distances[FEWEST_SNAPSHOTS]) < 0.25 and max(distances[8]) < 0.11 and max(distances[16]) < 0.05
    assert all(np.less(fine, np.add(coarse, 1e-9)).all() for coarse, fine in pairwise(distances.values()))


def descent(lengths, updates=2000, snapshots=8):
    """A noisy descent with a falling rate: the pair at each snapshot, and averages of other lengths kept all along."""
    generator = torch.Generator().manual_seed(0)
    weights = {"w": torch.nn.Parameter(torch.randn(50, generator=generator, dtype=torch.float64) * 10)}
    pair = {gamma: Power(f"power_{gamma}", weights, gamma) for gamma in PAIR}
    others = [Power("power", weights, gamma_of(length)) for length in lengths]
    profiles, stored = [], []
    for n in range(1, updates + 1):
        rate = 0.05 * min(1, 2 * (1 - n / (updates + 1)))
        noise = torch.randn(50, generator=generator, dtype=torch.float64)
        weights["w"].data -= rate * (weights["w"].data + 3 * noise)
        for average in (*pair.values(), *others):
            average.update(1)
        if n % (updates // snapshots) == 0:
            profiles += [Profile(gamma, float(n)) for gamma in pair]
            stored += [average.weights["w"].clone() for average in pair.values()]
    return profiles, torch.stack(stored), [average.weights["w"] for average in others], weights["w"].data


def test_a_mixture_is_the_average_that_would_have_been_kept():
    lengths = (0.04, 0.07, 0.12, 0.16)
    profiles, stored, others, last = descent(lengths)
    for length, other in zip(lengths, others, strict=True):
        mixture, _ = coefficients(profiles, Profile(gamma_of(length), 2000.0))
        mixed = torch.from_numpy(mixture) @ stored
        # what is left of noise in either is far more than what lies between the two
        assert (mixed - other).norm() < 0.05 * (last - other).norm()


def write(path, averages, images, seed=3):
    arm = Arm.model_validate({"training": {"averages": [average.name for average in averages]}})
    description = {
        "arm": arm.model_dump(mode="json", exclude_none=True), "shapes": asdict(Shapes(classes=3)), "classes": ["a", "b", "c"],
        "image_size": 16, "seed": seed, "images": images, "data": "set", "began": None,
    }  # fmt: skip
    save_model(path, averages, torch.eye(3), None, description)


@pytest.fixture
def snapshots(tmp_path):
    """Four snapshots of one training, and the averages of length 0.07 that it would have kept at each."""
    generator = torch.Generator().manual_seed(1)
    weights = {"w": torch.nn.Parameter(torch.zeros(6))}
    averages = [Power(f"power_{gamma}", weights, gamma) for gamma in PAIR]
    other, there = Power("power", weights, gamma_of(0.07)), []
    for n in range(1, 401):
        weights["w"].data += 0.1 * torch.randn(6, generator=generator)
        for average in (*averages, other):
            average.update(10)
        if n % 100 == 0:
            write(tmp_path / f"{n // 100:04d}.safetensors", averages, images=10 * n)
            there.append(other.weights["w"].clone())
    return [tmp_path / f"{n:04d}.safetensors" for n in (1, 2, 3, 4)], there


def test_files_of_snapshots_give_the_average_up_to_the_last_of_them(snapshots):
    paths, there = snapshots
    for count in (3, 4):
        model = reconstruct(paths[:count], 0.07)
        assert model.images == 1000 * count and model.weights["w"].dtype == torch.float32
        assert (model.weights["w"] - there[count - 1]).norm() < 0.06 * there[count - 1].norm()


def test_a_snapshot_of_another_training_is_refused_by_name(snapshots):
    paths, _ = snapshots
    weights = {"w": torch.nn.Parameter(torch.zeros(6))}
    write(paths[1], [Power("power_16.97", weights, 16.97)], images=2000, seed=9)
    with pytest.raises(ValueError, match=r"0002.safetensors is a snapshot of another training than .*0004"):
        reconstruct(paths, 0.07)


def test_a_snapshot_without_power_averages_is_refused_by_name(snapshots):
    paths, _ = snapshots
    weights = {"w": torch.nn.Parameter(torch.zeros(6))}
    plain = Power("ema_10", weights, 1.0)
    write(paths[0], [plain], images=1000)
    with pytest.raises(
        ValueError, match=r"0001.safetensors keeps the weights ema_10; expected power-function averages"
    ):
        reconstruct(paths, 0.07)
