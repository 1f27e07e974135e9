"""A claim is a comparison of sums of arms under settings, and nothing else."""

import pytest

from asymflow.config.claim import Claim, Decision

GIVEN = {"says": "A is better", "source": "a paper", "metric": "fid", "smallest": 1.0}


def claim(text):
    return Claim(**GIVEN, holds_if=text)


def test_one_side_less_the_other():
    (comparison,) = claim("a@x < b@y").comparisons
    assert comparison.weights == {("a", "x"): 1, ("b", "y"): -1} and comparison.relation == "<"


def test_sums_on_both_sides():
    (comparison,) = claim("a@x - a@y = b@x - b@y").comparisons
    assert comparison.weights == {("a", "x"): 1, ("a", "y"): -1, ("b", "x"): -1, ("b", "y"): 1}
    assert comparison.relation == "="


def test_several_right_sides_all_have_to_hold():
    made = claim("a@x < b@x, c@x")
    assert [c.weights for c in made.comparisons] == [{("a", "x"): 1, ("b", "x"): -1}, {("a", "x"): 1, ("c", "x"): -1}]
    assert made.runs == [("a", "x"), ("b", "x"), ("c", "x")]


def test_a_side_may_be_nothing():
    (comparison,) = claim("a@x = 0").comparisons
    assert comparison.weights == {("a", "x"): 1} and comparison.relation == "="


def test_the_cost_of_sampling_is_judged_by_nobody_and_is_in_no_card():
    made = Claim(**GIVEN, judge="cost", holds_if="a@x < b@x")
    assert made.judges == ("distribution",) and made.files == ("summary", "sampled")
    assert claim("a@x < b@x").files == ("summary", "sampled", "distribution")


@pytest.mark.parametrize(
    "text",
    [
        "a@x",
        "a@x < ",
        "a < b",
        "a@x < b@y < c@z",
        "a@x + + b@y < c@z",
        "2 a@x < b@y",
        "a@x b@y < c@z",
        "",
        "a@x < a@x",
        "0 = 0",
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="holds_if"):
        claim(text)


@pytest.mark.parametrize("looks", [(3, 3), (5, 3), (1, 3)])
def test_looks_rise_from_two(looks):
    with pytest.raises(ValueError, match=r"rising|looks"):
        Decision(looks=looks)
