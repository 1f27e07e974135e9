"""What is said of a study: no more than its numbers say."""

import math

import pandas as pd
import pytest

from asymflow.report.verdicts import verdicts


def said(table, study):
    return [verdict.says for verdict in verdicts(table, study)]


def test_with_several_seeds_the_paired_interval_decides_and_not_the_spread(compared, measured):
    """They differ by 1.0, 1.1 and 1.2, though each varies by 10: 1.1 with an interval of 4.303 * 0.1 / sqrt(3) on both sides."""
    study = compared(seeds=3)
    paired = measured({("a", "guided"): [11.0, 21.1, 31.2], ("b", "guided"): [10.0, 20.0, 30.0]})
    (verdict,) = said(paired, study)
    assert verdict == (
        "b has the least fid_local of 2 arms, 20 ± 10; a is next with 21 ± 10. The difference, 1.10 (0.85 to 1.35) over 3 seeds,"
        " is beyond the errors."
    )
    shuffled = measured({("a", "guided"): [11.0, 21.1, 31.2], ("b", "guided"): [30.0, 10.0, 20.0]})
    assert "over 3 seeds, is not beyond the errors." in said(shuffled, study)[0]


@pytest.mark.parametrize(
    ("next_one", "sentence"),
    [
        (
            14.0,
            "With one seed the difference, 4.0 ± 1.4, is beyond the error of drawing samples; how trainings differ one seed",
        ),
        (12.5, "With one seed the difference, 2.5 ± 1.4, is not beyond the error of drawing samples."),
    ],
)
def test_with_one_seed_a_difference_has_to_be_twice_its_standard_error_and_that_is_all_that_is_said(
    compared, measured, next_one, sentence
):
    (verdict,) = said(measured({("a", "guided"): [10.0], ("b", "guided"): [next_one]}), compared())
    assert verdict.startswith("a has the least fid_local of 2 arms, 10.0 ± 1.0; b is next with") and sentence in verdict


@pytest.mark.parametrize("error", ["missing", "empty"])
def test_without_a_standard_error_one_seed_decides_nothing(compared, measured, error):
    table = measured({("a", "guided"): [10.0], ("b", "guided"): [99.0]}, math.nan)
    table = table.drop(columns="fid_local_error") if error == "missing" else table
    assert "is not known: one seed, and no standard error." in said(table, compared())[0]


def test_the_reference_is_compared_with_all_others(compared, measured):
    arms = {"a": 20.0, "b": 10.0, "c": 21.0, "d": 40.0, "e": 60.0}
    table = measured({(arm, "guided"): [value] for arm, value in arms.items()})
    (verdict,) = said(table, compared(tuple(arms)))
    assert verdict.endswith("Beyond the errors, 1 of the other 4 is lower than the reference a and 2 higher.")


def test_each_setting_has_its_verdict_and_of_snapshots_the_last_has(compared, measured):
    settings = ("part1", "part2", "guided")
    study = compared(samplings=settings, snapshots={"part1": 1, "part2": 2})
    table = measured({(arm, setting): [1.0 + (arm == "b")] for arm in "ab" for setting in settings})
    assert [verdict.setting for verdict in verdicts(table, study)] == ["part2", "guided"]


def test_of_a_single_arm_the_settings_are_compared(compared, measured):
    study = compared(arms="a", samplings=("unguided", "guided"))
    table = measured({("a", "unguided"): [30.0], ("a", "guided"): [20.0]})
    (verdict,) = said(table, study)
    assert verdict.startswith("guided has the least fid_local of 2 settings, 20.0 ± 1.0; unguided is next")


def test_a_single_run_is_compared_with_nothing(compared, measured):
    (verdict,) = said(measured({("a", "guided"): [30.0]}), compared(arms="a"))
    assert verdict == "guided has fid_local 30.0 ± 1.0 (one seed); there is nothing to compare it with."


def test_published_systems_take_no_part(compared, measured):
    table = measured({("a", "guided"): [30.0], ("b", "guided"): [40.0]})
    published = pd.DataFrame([{"arm": "theirs", "fid_local": 1.0}])
    assert "theirs" not in said(pd.concat([table, published], ignore_index=True), compared())[0]
