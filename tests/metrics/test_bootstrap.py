"""Intervals by drawing cases again."""

import numpy as np
import pytest

from asymflow.metrics.bootstrap import interval, intervals


def test_the_interval_of_many_normal_numbers_is_the_known_one():
    """mean +- 1.96 sd / sqrt(m), to the noise of the resamples."""
    values = np.random.default_rng(0).standard_normal(2_000)
    low, high = interval(values, resamples=4_000, seed=0)
    error = values.std() / 2_000**0.5
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_equal_values_have_no_spread():
    assert interval(np.full(7, 0.3), resamples=50, seed=0) == pytest.approx((0.3, 0.3))


def test_the_same_seed_gives_the_same_interval_and_another_hardly_another():
    values = np.random.default_rng(1).random(50)
    one, again, other = (interval(values, 2_000, seed) for seed in (0, 0, 1))
    assert one == again and one != other
    assert one == pytest.approx(other, abs=0.02)


def test_every_metric_has_its_mean_between_the_ends_of_its_own_interval():
    per_case = {"recon_lpips": np.random.default_rng(2).random(40), "swap_similarity": np.full(7, -0.5)}
    summary = intervals(per_case, resamples=200, seed=3)
    assert list(summary) == [f"{name}{end}" for name in per_case for end in ("", "_low", "_high")]
    assert all(isinstance(value, float) for value in summary.values())
    for name, values in per_case.items():
        assert summary[name] == values.mean()
        assert (summary[f"{name}_low"], summary[f"{name}_high"]) == interval(values, 200, 3)
    assert summary["recon_lpips_low"] < summary["recon_lpips"] < summary["recon_lpips_high"]


def test_nothing_measured_has_no_intervals():
    assert intervals({}, resamples=10, seed=0) == {}
