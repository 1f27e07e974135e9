"""Which rank is best at which length of training: each with a schedule of its own, so that no length is a part of another."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from asymflow.report import metrics, style
from asymflow.report.intervals import interval
from asymflow.report.study import Study

# times the least mean of its length, at every length: such a rank is named in a corner instead of stretching the axis
OFF_SCALE = 5


def compared(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Each rank at each length and setting, and its paired difference from the lowest rank there.

    `table` has a row for each run with its `rank`, `images_seen`, `sampling` and `seed`. The rows here have the mean, that
    of the lowest rank, `difference`, and the ends of its 95 % t-interval over seeds, which a single seed does not have.
    Arms of one rank and length count with their mean.
    """
    rows = []
    for (sampling, images), block in table.groupby(["sampling", "images_seen"], sort=False):
        values = block.pivot_table(index="seed", columns="rank", values=metric)
        lowest = values[values.columns.min()]
        for rank in values:
            difference = values[rank] - lowest
            low, high = interval(difference)
            rows.append(
                {"sampling": sampling, "images": images, "rank": rank}
                | {"mean": values[rank].mean(), "std": values[rank].std(), "lowest": lowest.mean()}
                | {"difference": difference.mean(), "low": low, "high": high}
            )
    return pd.DataFrame(rows)


def against_length(table: pd.DataFrame, study: Study) -> Figure:
    """Above, the first metric against the length of training: a line for each rank, the least mean ringed. Below, each rank's
    difference from the lowest.

    Bands are the standard deviation over seeds, whiskers the 95 % interval of the paired difference. Ranks whose values lie far
    above all others are named in a corner.
    """
    metric = metrics.first(table)
    rows = compared(table.assign(rank=[study.rank(arm) for arm in table["arm"]]), metric)
    best = rows.groupby(["sampling", "images"])["mean"].transform("min")
    far = (rows["mean"] > OFF_SCALE * best).groupby(rows["rank"]).all()
    far[rows["rank"].min()] = False  # the others are compared with it
    near, beyond = rows[~rows["rank"].map(far)], rows[rows["rank"].map(far)]
    ranks = sorted(set(near["rank"]))
    shades = dict(zip(ranks, plt.get_cmap("viridis")(np.linspace(0, 0.92, len(ranks))), strict=True))
    columns = len(study.samplings)
    figure, panels = plt.subplots(
        2, columns, figsize=(4.6 * columns + 0.6, 6.4), sharex=True, sharey="row", squeeze=False,
        gridspec_kw={"height_ratios": [3, 2], "hspace": 0.1, "wspace": 0.08},
    )  # fmt: skip
    for (above, below), sampling in zip(panels.T, study.samplings, strict=True):
        shown = near[near["sampling"] == sampling]
        _means(above, shown, shades)
        _differences(below, shown, shades)
        least = beyond[beyond["sampling"] == sampling].groupby("rank")["mean"].min()
        named = "\n".join(f"{style.rank(rank)}: {mean:.0f} or more" for rank, mean in least.items())
        above.text(0.02, 0.02, named, transform=above.transAxes, fontsize=7)
        above.set(title=sampling)
        below.set(xlabel="images in training, each length with its own schedule", xscale="log")
        lengths = sorted(set(shown["images"]))
        below.set_xticks(lengths, [f"{count / 1000:.3g} k" for count in lengths])
        below.xaxis.set_minor_formatter(NullFormatter())
    style.logarithmic(panels[0, 0].yaxis)
    panels[0, 0].set_ylabel(metrics.label(metric))
    panels[1, 0].set_ylabel(f"difference from {style.rank(ranks[0])} (%)")
    panels[0, -1].legend(title="ringed: the least mean")
    figure.suptitle(study.title, fontsize=10, fontweight="bold", y=0.96)
    whiskers = "; below, 95 % intervals of paired differences" if table["seed"].nunique() > 1 else ""
    style.footnote(figure, f"{metrics.note(table)}{whiskers}")
    figure.align_ylabels()
    return figure


def _means(panel: Axes, rows: pd.DataFrame, shades: dict[float, np.ndarray]) -> None:
    for rank, shade in shades.items():
        line = rows[rows["rank"] == rank].sort_values("images")
        panel.plot(line["images"], line["mean"], color=shade, marker="o", markersize=4, label=style.rank(rank))
        spread = line["std"].fillna(0)
        panel.fill_between(
            line["images"], line["mean"] - spread, line["mean"] + spread, color=shade, alpha=0.2, linewidth=0
        )
    best = rows.loc[rows.groupby("images")["mean"].idxmin()]
    panel.scatter(best["images"], best["mean"], s=90, facecolors="none", edgecolors="0.2", zorder=3)


def _differences(panel: Axes, rows: pd.DataFrame, shades: dict[float, np.ndarray]) -> None:
    """In percent of the lowest rank, the line at 0; the others stand a little apart, or their whiskers would cover each other."""
    lowest, *others = shades
    panel.axhline(0, color=shades[lowest], linewidth=1)
    for place, rank in enumerate(others):
        line = rows[rows["rank"] == rank].sort_values("images")
        apart = 1.05 ** (place - (len(others) - 1) / 2)
        percent = 100 / line["lowest"]
        reach = (line["high"] - line["difference"]) * percent
        panel.errorbar(
            line["images"] * apart, line["difference"] * percent, yerr=None if reach.isna().all() else reach, color=shades[rank],
            marker="o", markersize=3.5, linewidth=0.8, capsize=2, elinewidth=1,
        )  # fmt: skip
