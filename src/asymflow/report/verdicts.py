"""What the numbers of a study say, in plain sentences by one rule, and nothing that they do not.

The first metric, a Frechet distance, is compared: of the arms under a sampling setting, or of the settings of a single arm. The
least mean over seeds comes first. It is beyond the errors of the next when

    several seeds:  the 95 % t-interval of the differences, seed by seed, leaves out 0
    one seed:       the difference is more than twice its standard error, the root of the sum of both squares; that is the error
                    of drawing samples, and how trainings differ it does not say

and likewise of the reference. Nothing is corrected for the number of comparisons.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from asymflow.report import comparison, metrics, numbers, tables
from asymflow.report.intervals import interval
from asymflow.report.study import Study

TWICE = 2  # standard errors


@dataclass(frozen=True)
class Measured:
    """What an arm, or a setting, has of the first metric."""

    name: str
    values: list[float]  # one for each seed
    error: float  # standard error of a single value, by the samples that were drawn; NaN where it was not measured

    @property
    def mean(self) -> float:
        return float(np.mean(self.values))

    def __str__(self) -> str:
        spread = float(np.std(self.values, ddof=1)) if len(self.values) > 1 else self.error
        return numbers.with_error(self.mean, spread)


@dataclass(frozen=True)
class Difference:
    """How much more one has than another, and whether that is beyond the errors; None where no error is known."""

    shown: str
    beyond: bool | None
    mean: float


class Verdict(NamedTuple):
    """What the numbers say under a sampling setting; of a single arm, of all its settings."""

    setting: str
    says: str


def verdicts(table: pd.DataFrame, study: Study) -> list[Verdict]:
    """What a study's table says of it: a few sentences for each sampling setting, of snapshots only for the last."""
    metric, table = metrics.first(table), tables.ours(table)
    if len(study.arms) == 1:
        return [Verdict(study.reference, _says(_measured(table, "sampling", metric), metric, "settings", ""))]
    last = [names[-1] for names in comparison.series(study.samplings)]
    under = {setting: _measured(table[table["sampling"] == setting], "arm", metric) for setting in last}
    return [Verdict(setting, _says(measured, metric, "arms", study.reference)) for setting, measured in under.items()]


def difference(more: Measured, less: Measured) -> Difference:
    """How much more the one has than the other."""
    differences = [a - b for a, b in zip(more.values, less.values, strict=True)]
    mean = float(np.mean(differences))
    if len(differences) > 1:
        low, high = interval(differences)
        return Difference(numbers.between(mean, low, high), low > 0 or high < 0, mean)
    error = math.hypot(more.error, less.error)
    return Difference(numbers.with_error(mean, error), None if math.isnan(error) else abs(mean) > TWICE * error, mean)


def _measured(table: pd.DataFrame, by: str, metric: str) -> list[Measured]:
    """What each has, in the order of the table."""
    errors = table[f"{metric}_error"] if f"{metric}_error" in table else pd.Series(math.nan, table.index)
    table = table.assign(error=errors).sort_values("seed", kind="stable")
    names = dict.fromkeys(table.sort_index()[by])
    blocks = {name: table[table[by] == name] for name in names}
    return [
        Measured(name, block[metric].astype(float).tolist(), float(block["error"].iloc[0]))
        for name, block in blocks.items()
    ]


def _says(measured: list[Measured], metric: str, what: str, reference: str) -> str:
    seeds = len(measured[0].values)
    if len(measured) == 1:
        counted = f"{seeds} seeds" if seeds > 1 else "one seed"
        return f"{measured[0].name} has {metric} {measured[0]} ({counted}); there is nothing to compare it with."
    best, following = sorted(measured, key=lambda one: one.mean)[:2]
    found = f"{best.name} has the least {metric} of {len(measured)} {what}, {best}; {following.name} is next with {following}."
    return " ".join([found, _compared(difference(following, best), seeds), *_against(measured, reference)])


def _compared(difference: Difference, seeds: int) -> str:
    shown, verb = difference.shown, "is" if difference.beyond else "is not"
    if difference.beyond is None:
        return f"Whether the difference, {shown}, means anything is not known: one seed, and no standard error."
    if seeds > 1:
        return f"The difference, {shown} over {seeds} seeds, {verb} beyond the errors."
    caution = "; how trainings differ one seed does not say" if difference.beyond else ""
    return f"With one seed the difference, {shown}, {verb} beyond the error of drawing samples{caution}."


def _against(measured: list[Measured], reference: str) -> list[str]:
    """How many are beyond the errors of the reference, on either side; nothing where there are only two."""
    others = [one for one in measured if one.name != reference]
    if not reference or len(others) < 2:
        return []
    (own,) = (one for one in measured if one.name == reference)
    differences = [difference(one, own) for one in others]
    if any(one.beyond is None for one in differences):
        return []
    lower, higher = (sum(bool(one.beyond) and sign * one.mean > 0 for one in differences) for sign in (-1, 1))
    return [
        f"Beyond the errors, {lower or 'none'} of the other {len(others)} {'is' if lower < 2 else 'are'} lower than the reference"
        f" {reference} and {higher or 'none'} higher."
    ]
