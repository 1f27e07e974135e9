"""Intervals of means over seeds."""

import numpy as np
import pytest
from scipy import stats

from asymflow.report.intervals import interval


@pytest.mark.parametrize("confidence", [0.95, 0.983])
def test_an_interval_is_that_of_student(confidence):
    values = [1.0, 2.0, 4.5, 3.0]
    expected = stats.t.interval(confidence, 3, np.mean(values), stats.sem(values))
    assert interval(values, confidence) == pytest.approx(expected)


@pytest.mark.parametrize("values", [[1.0], [1.0, float("inf"), 2.0], [1.0, float("nan")]])
def test_a_single_value_and_one_that_is_not_finite_have_none(values):
    assert np.isnan(interval(values)).all()
