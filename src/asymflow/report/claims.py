"""Verdicts on claims, by a rule that is stated beforehand, and the figure of all of them."""

from typing import Any, Literal

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from asymflow.report import style
from asymflow.report.intervals import interval

Verdict = Literal["holds", "does not hold", "undecided"]
COLOURS: dict[Verdict, str] = {"holds": "#3a6ea5", "does not hold": "#c8553d", "undecided": "0.6"}


def share(confidence: float, looks: int, comparisons: int) -> float:
    """The confidence of one interval, so that all looks at all comparisons together have the given one (Bonferroni)."""
    return 1 - (1 - confidence) / (looks * comparisons)


def verdict(low: float, high: float, relation: str, smallest: float) -> Verdict:
    """What an interval of a difference says of a claim.

    That it is negative (<): does not hold where the interval lies above -smallest, for then there is no effect of interest; holds
    where it lies below 0. That it is about zero (=): holds where the interval lies within (-smallest, smallest); does not hold
    where it leaves out 0. Anything else is undecided.
    """
    if relation == "<":
        return "does not hold" if low > -smallest else "holds" if high < 0 else "undecided"
    if -smallest < low and high < smallest:
        return "holds"
    return "does not hold" if low > 0 or high < 0 else "undecided"


def joint(verdicts: list[Verdict]) -> Verdict:
    """The verdict on a claim of several comparisons: all have to hold."""
    if "does not hold" in verdicts:
        return "does not hold"
    return "undecided" if "undecided" in verdicts else "holds"


def decide(differences: list[list[float]], relation: str, smallest: float, confidence: float) -> dict[str, Any]:
    """Mean and interval of each comparison's differences, seed by seed, and the verdict; `confidence` is that of one interval."""
    intervals = [interval(values, confidence) for values in differences]
    verdicts = [verdict(low, high, relation, smallest) for low, high in intervals]
    return {
        "means": [float(np.mean(values)) for values in differences],
        "intervals": [list(ends) for ends in intervals],
        "verdicts": verdicts,
        "verdict": joint(verdicts),
    }


def forest(rows: list[dict[str, Any]]) -> Figure:
    """Each claim's difference with its interval, in units of the smallest difference of interest.

    Left of 0 is as claimed; a claim of equality wants to be about 0.
    """
    figure, axes = plt.subplots(figsize=(7.2, 0.36 * len(rows) + 1.2))
    for place, row in enumerate(reversed(rows)):
        low, mean, high = (row[name] / row["smallest"] for name in ("low", "mean", "high"))
        colour = COLOURS[row["verdict"]]
        axes.plot([low, high], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
        axes.plot(mean, place, "o", color=colour, markersize=5)
    axes.axvline(0, color="0.3", linewidth=0.8)
    axes.axvspan(-1, 0, color="0.93", zorder=0)
    axes.set_xscale("symlog", linthresh=2)
    axes.set_yticks(range(len(rows)), [f"{row['says']}  [{row['seeds']}]" for row in reversed(rows)], fontsize=8)
    axes.set_xlabel(
        "difference in units of the smallest of interest (grey); left of 0: as claimed; of equality: about 0"
    )
    handles = [plt.Line2D([], [], color=colour, marker="o", label=name) for name, colour in COLOURS.items()]
    axes.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.3, 1.0), ncols=3)
    style.footnote(figure, "in brackets: seeds")
    return figure
