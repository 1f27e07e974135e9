"""Arms against their reference, case by case."""

import numpy as np
import pytest

from asymflow.metrics.bootstrap import interval
from asymflow.report.study import Study
from asymflow.stages.paired import RESAMPLES, compared


def test_a_difference_is_the_arm_less_the_reference_averaged_over_seeds_first():
    """Cases differ by far more than arms, and seeds move all arms alike: neither is in the interval."""
    study = Study("s", "b", ["suite"], [0, 1], {"a": {}, "b": {}}, {"bare": {}}, {}, {})
    lead = np.array([1.0, 2.0, 3.0, 6.0])  # of a over b, case by case
    per_case = {
        ("bare", arm, seed): {"recon_lpips": (100 * np.arange(4) + 10 * seed + (arm == "a") * (lead + seed)).tolist()}
        for arm in "ab"
        for seed in (0, 1)
    }
    own, reference = compared(study, per_case)
    assert (own["arm"], own["reference"], own["seeds"], own["cases"]) == ("a", "b", 2, 4)
    assert own["difference"] == pytest.approx(lead.mean() + 0.5)
    assert (own["low"], own["high"]) == pytest.approx(interval(lead + 0.5, RESAMPLES, 0))
    assert (reference["difference"], reference["low"], reference["high"]) == (0, 0, 0)
