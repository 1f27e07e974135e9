"""The error of a velocity against what is known of Gaussian data, whose best velocity has a closed form."""

import pytest
import torch

from asymflow.config.velocity import Velocity
from asymflow.flow.path import per_sample
from asymflow.stages import velocity

D = 12
CONFIG = Velocity(levels=(0.9, 0.5, 0.1), groups=(2, 5), principal=5)
SPECTRUM = 2.0 ** -torch.arange(D, dtype=torch.float64)
BASIS = torch.linalg.qr(torch.randn(D, D, dtype=torch.float64, generator=torch.Generator().manual_seed(0))).Q


def best(x_t, t, condition, sigma_min):
    """The mean of eps - x_0 given x_t, for data of this spectrum along this basis."""
    t = per_sample(t)
    return (x_t @ BASIS * (t - (1 - t) * SPECTRUM) / (t**2 + (1 - t) ** 2 * SPECTRUM)) @ BASIS.T


def given():
    for number in range(4):
        draw = torch.Generator().manual_seed(number)
        x, eps = (torch.randn(1000, 2, D, dtype=torch.float64, generator=draw) for _ in range(2))
        yield (x * SPECTRUM.sqrt()) @ BASIS.T, eps, None


@pytest.fixture(scope="module")
def rows():
    return velocity.measure(best, given(), BASIS, CONFIG)


def test_the_best_velocity_of_gaussian_data_has_the_error_that_the_spectrum_says(rows):
    assert [(row["t"], row["first"], row["last"]) for row in rows[:3]] == [(0.9, 1, 2), (0.9, 3, 5), (0.9, 6, 12)]
    for row in rows:
        t, spectrum = row["t"], SPECTRUM[row["first"] - 1 : row["last"]]
        total = t**2 + (1 - t) ** 2 * spectrum
        expected = (spectrum / total).sum().item() / D
        assert (
            row["error"] == pytest.approx(expected, abs=4 * row["standard_error"])
            and row["standard_error"] < 0.05 * expected
        )
        assert row["velocity"] == pytest.approx((1 + spectrum).sum().item() / D, rel=0.05)
        assert row["noise_passed"] == pytest.approx((t**2 / total).mean().item(), abs=0.01)


def test_columns_are_geometric_means_over_levels(rows):
    metrics = velocity.metrics(rows, 5)
    parts = {"": (1, 12), "_principal": (1, 5), "_detail": (6, 12)}
    for part, (first, last) in parts.items():
        within = [row for row in rows if first <= row["first"] and row["last"] <= last]
        sums = [sum(row["error"] for row in within if row["t"] == t) for t in CONFIG.levels]
        assert metrics[f"velocity_error{part}"] == pytest.approx((sums[0] * sums[1] * sums[2]) ** (1 / 3))
    assert set(velocity.metrics(rows, 12)) == {"velocity_error", "velocity_error_principal"}


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"levels": (0.5, 1.0)}, "between 0 and 1"),
        ({"groups": (8, 8)}, "rising numbers"),
        ({"principal": 9}, "one of the groups' ends"),
    ],
)
def test_levels_and_groups_that_mean_nothing_are_refused(wrong, expected):
    with pytest.raises(ValueError, match=expected):
        Velocity(**wrong)
