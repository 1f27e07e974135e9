"""Figures, drawn from tables and arrays alone."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from asymflow.report import style
from asymflow.report.tables import metric_names

MARKS = {"pca": "o", "pca_centred": "^", "dct": "D", "random": "X", "identity": "s"}


def against_rank(table: pd.DataFrame, study: dict[str, Any]) -> Figure:
    """The first metric against the target's rank: a line for PCA under each sampling setting, marks for other bases.

    Whiskers are the standard deviation over seeds. Below it, where there is one, the published choice of guidance.
    """
    metric = metric_names(table)[0]
    fields = study["arms"]  # the table only has columns for fields that differ
    table = table.assign(
        rank=[_rank(fields[arm]["target.rank"]) for arm in table["arm"]],
        basis=[fields[arm]["target.basis"] for arm in table["arm"]],
    )
    ranks = sorted(set(table["rank"]))
    place = {rank: i for i, rank in enumerate(ranks)}
    published = "published_guidance" in table
    figure, panels = plt.subplots(
        2 if published else 1, 1, figsize=(6.4, 5.2 if published else 4.0), sharex=True, squeeze=False,
        gridspec_kw={"height_ratios": [4, 1] if published else [1]},
    )  # fmt: skip
    axes = panels[0, 0]
    palette = style.colours(list(study["samplings"]))
    for sampling, colour in palette.items():
        for basis, block in table[table["sampling"] == sampling].groupby("basis", sort=False):
            spread = block.groupby("rank")[metric].agg(["mean", "std"])
            axes.errorbar(
                [place[r] for r in spread.index], spread["mean"], yerr=spread["std"].fillna(0), color=colour, capsize=3,
                marker=MARKS[basis], markersize=6, linestyle="-" if basis == "pca" else "none",
                markerfacecolor=colour if basis == "pca" else "white", label=f"{sampling}, {_basis_name(basis)}",
            )  # fmt: skip
    axes.set(yscale="log", ylabel=f"{metric}  (lower is better)", title=study["title"])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.legend(ncols=len(palette), loc="upper left")
    if published:
        _published_guidance(panels[1, 0], table, place)
    last = panels[-1, 0]
    last.set_xticks(range(len(ranks)), [_rank_label(rank, ranks) for rank in ranks])
    last.set_xlabel("rank of the noise subspace in each patch")
    figure.text(0.99, -0.01, _footnote(table), ha="right", va="top", fontsize=7, color="0.4")
    figure.align_ylabels()
    return figure


def by_arm(table: pd.DataFrame, study: dict[str, Any]) -> Figure:
    """The first metric of each arm under each sampling setting, one row for an arm; small marks are single seeds."""
    metric, arms = metric_names(table)[0], list(study["arms"])
    figure, axes = plt.subplots(figsize=(6.4, 0.8 + 0.42 * len(arms)))
    for shift, (sampling, colour) in enumerate(style.colours(list(study["samplings"])).items()):
        block = table[table["sampling"] == sampling]
        spread = block.groupby("arm")[metric].agg(["mean", "std"]).loc[arms]
        height = np.arange(len(arms)) + 0.18 * (shift - (len(study["samplings"]) - 1) / 2)
        axes.errorbar(
            spread["mean"], height, xerr=spread["std"].fillna(0), fmt="o", color=colour, capsize=3, label=sampling
        )
        axes.scatter(block[metric], [height[arms.index(a)] for a in block["arm"]], s=6, color=colour, alpha=0.5)
    axes.set_yticks(range(len(arms)), [f"{arm} *" if arm == study["reference"] else arm for arm in arms])
    axes.invert_yaxis()
    axes.set(xlabel=f"{metric}  (lower is better)", title=study["title"])
    axes.legend()
    figure.text(0.99, -0.01, f"* reference. {_footnote(table)}", ha="right", va="top", fontsize=7, color="0.4")
    return figure


def subspaces(bases: dict[str, tuple[np.ndarray, np.ndarray]], shown: int = 16) -> Figure:
    """The first directions of each basis as patches, and the share of energy that the first r directions leave out.

    `bases` maps a name to columns (D, D) in (row, column, channel) order and mean squared coefficients (D).
    """
    figure = plt.figure(figsize=(7.4, 1.0 + 0.75 * len(bases) + 2.4))
    top, bottom = figure.subfigures(2, 1, height_ratios=[0.75 * len(bases) + 0.3, 2.6])
    panels = top.subplots(len(bases), shown, squeeze=False)
    for row, (name, (basis, _)) in zip(panels, bases.items(), strict=True):
        side = round((len(basis) / 3) ** 0.5)
        for panel, column in zip(row, basis.T, strict=False):
            panel.imshow(0.5 + column.reshape(side, side, 3) / (2 * np.abs(column).max()), interpolation="nearest")
            panel.set_axis_off()
        row[0].text(-0.2, 0.5, _basis_name(name), transform=row[0].transAxes, ha="right", va="center", fontsize=8)
    top.suptitle(f"The first {shown} directions of each basis", fontweight="bold", fontsize=10)
    axes = bottom.subplots()
    for (name, (_, spectrum)), colour in zip(bases.items(), style.OTHERS, strict=False):
        left = 1 - np.concatenate([[0], np.cumsum(spectrum)]) / spectrum.sum()
        axes.plot(np.arange(len(left)), np.maximum(left, 1e-6), color=colour, label=_basis_name(name))
    axes.set_xscale("symlog", linthresh=1)
    axes.set(yscale="log", ylim=(1e-4, 1.1), xlabel="rank r", ylabel="energy outside the subspace")
    axes.set_xticks(
        [0, 1, 2, 4, 8, 16, 32, 64, 128, len(left) - 1], labels=["0", "1", "2", "4", "8", "16", "32", "64", "128", "D"]
    )
    axes.minorticks_off()
    axes.legend()
    return figure


def sample_grid(rows: dict[str, np.ndarray]) -> Figure:
    """A row of images (n, h, w, 3) for each arm, columns in common: the same noise, the same class."""
    columns = max(len(images) for images in rows.values())
    figure, panels = plt.subplots(
        len(rows), columns, figsize=(0.62 * columns + 1.0, 0.64 * len(rows)), squeeze=False,
        gridspec_kw={"wspace": 0.04, "hspace": 0.04},
    )  # fmt: skip
    for row, (name, images) in zip(panels, rows.items(), strict=True):
        for panel in row:
            panel.set_axis_off()
        for panel, image in zip(row, images, strict=False):
            panel.imshow(image, interpolation="nearest")
        row[0].text(-0.15, 0.5, name, transform=row[0].transAxes, ha="right", va="center", fontsize=8)
    return figure


def _published_guidance(axes: Axes, table: pd.DataFrame, place: dict[float, int]) -> None:
    """The guidance scale that the paper selected for each rank."""
    block = table.dropna(subset="published_guidance").drop_duplicates("arm")
    for basis, part in block.groupby("basis", sort=False):
        filled = "0.35" if basis == "pca" else "white"
        axes.plot([place[r] for r in part["rank"]], part["published_guidance"], MARKS[basis], color="0.35", mfc=filled)
    axes.set_ylabel("guidance\nscale", fontsize=8)
    axes.set_title(
        "published choice for each rank (paper, Table 5; interval [0, 0.82])", fontsize=8, fontweight="normal"
    )
    axes.margins(y=0.3)


def _rank(value: Any) -> float:
    return float("inf") if value == "full" else float(value)


def _rank_label(rank: float, ranks: list[float]) -> str:
    if rank == float("inf"):
        return "D\n$u$-prediction"
    return "0\n$x_0$-prediction" if rank == 0 else f"{rank:g}"


def _basis_name(basis: str) -> str:
    names = {"pca": "PCA", "pca_centred": "PCA, centred", "dct": "DCT", "random": "random", "identity": "identity"}
    return names[basis]


def _footnote(table: pd.DataFrame) -> str:
    evaluator, samples = table["evaluator"].iloc[0], table["samples"].iloc[0]
    seeds = table["seed"].nunique()
    return (
        f"{evaluator} evaluator, {samples} samples, {seeds} seed{'s: mean and standard deviation' if seeds > 1 else ''}"
    )
