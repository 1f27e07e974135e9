"""Verdicts: what the rule says of an interval, and how often it errs when it is looked several times."""

import numpy as np
import pytest

from asymflow.config.claim import Decision
from asymflow.report import claims
from asymflow.report.intervals import interval

SMALLEST = 2.0


@pytest.mark.parametrize(
    ("low", "high", "relation", "expected"),
    [
        (-9, -3, "<", "holds"),
        (-9, 0.5, "<", "undecided"),
        (-1.9, 1, "<", "does not hold"),
        (-1.9, -0.1, "<", "does not hold"),  # an effect, but none of interest
        (1, 5, "<", "does not hold"),
        (-1.5, 1.9, "=", "holds"),
        (0.1, 1.9, "=", "holds"),
        (-1, 3, "=", "undecided"),
        (0.5, 3, "=", "does not hold"),
        (-5, -0.5, "=", "does not hold"),
    ],
)
def test_a_verdict_is_what_the_rule_says(low, high, relation, expected):
    assert claims.verdict(float(low), float(high), relation, SMALLEST) == expected


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["holds", "holds"], "holds"),
        (["holds", "undecided"], "undecided"),
        (["undecided", "does not hold"], "does not hold"),
    ],
)
def test_all_comparisons_of_a_claim_have_to_hold(verdicts, expected):
    assert claims.joint(verdicts) == expected


def frequencies(mean, spread, relation="<", comparisons=1, trials=2000):
    """How often the sequential rule says what, for normal differences of this mean and spread."""
    decision, draw = Decision(), np.random.default_rng(0)
    confidence = claims.share(decision.confidence, len(decision.looks), comparisons)
    found = {"holds": 0, "does not hold": 0, "undecided": 0}
    for _ in range(trials):
        values = draw.normal(mean, spread, (comparisons, decision.looks[-1]))
        for look in decision.looks:
            result = claims.decide(values[:, :look].tolist(), relation, SMALLEST, confidence)["verdict"]
            if result != "undecided":
                break
        found[result] += 1
    return {verdict: count / trials for verdict, count in found.items()}


@pytest.mark.parametrize("spread", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("comparisons", [1, 4])
def test_a_claim_without_any_effect_holds_as_rarely_as_was_promised(spread, comparisons):
    assert frequencies(0.0, spread, comparisons=comparisons)["holds"] <= 0.05


@pytest.mark.parametrize("spread", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("comparisons", [1, 4])
def test_an_effect_of_interest_is_denied_as_rarely_as_was_promised(spread, comparisons):
    assert frequencies(-SMALLEST, spread, comparisons=comparisons)["does not hold"] <= 0.05


def test_equality_errs_as_rarely_as_was_promised():
    assert frequencies(SMALLEST, 1.0, "=")["holds"] <= 0.05
    assert frequencies(0.0, 1.0, "=")["does not hold"] <= 0.05


def test_a_clear_effect_is_seen_and_its_absence_too():
    assert frequencies(-3 * SMALLEST, 1.0)["holds"] > 0.95
    assert frequencies(SMALLEST, 1.0)["does not hold"] > 0.95
    assert frequencies(0.0, 0.5, "=")["holds"] > 0.9
    assert frequencies(0.0, 20.0)["undecided"] > 0.9


def test_looking_again_without_paying_for_it_would_err_more_often():
    """The correction is no ornament: plain intervals at each look break the promise."""
    decision, draw = Decision(), np.random.default_rng(0)
    plain = sum(
        any(interval(list(values[:look]), 0.95)[1] < 0 for look in decision.looks)
        for values in draw.normal(0, 1, (2000, decision.looks[-1]))
    )
    corrected = sum(
        any(interval(list(values[:look]), claims.share(0.95, 3, 1))[1] < 0 for look in decision.looks)
        for values in draw.normal(0, 1, (2000, decision.looks[-1]))
    )
    assert corrected / 2000 <= 0.025 < plain / 2000


def test_the_figure_has_every_claim_in_units_of_its_smallest_difference():
    rows = [
        {"says": "a", "seeds": 3, "low": -8.0, "mean": -4.0, "high": -2.0, "smallest": 2.0, "verdict": "holds"},
        {"says": "b", "seeds": 8, "low": -1.0, "mean": 0.0, "high": 1.0, "smallest": 0.5, "verdict": "undecided"},
    ]
    axes = claims.forest(rows).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b  [8]", "a  [3]"]
    lines = [list(line.get_xdata()) for line in axes.get_lines()[:4]]
    assert lines == [[-2.0, 2.0], [0.0], [-4.0, -1.0], [-2.0]]
