"""Figures of studies, drawn from their tables alone."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from asymflow.report import image_figures, metrics, style
from asymflow.report.study import Study
from asymflow.report.tables import ours, speedup

MARKS = {"pca": "o", "pca_centred": "^", "pca_unexplained": "v", "dct": "D", "random": "X", "identity": "s"}


def against_rank(table: pd.DataFrame, study: Study) -> Figure:
    """The first metric against the target's rank: a line for PCA under each sampling setting, marks for other bases.

    Whiskers are the standard deviation over seeds. Below it, where there is one, the published choice of guidance.
    """
    metric = metrics.first(table)
    fields = study.arms  # the table only has columns for fields that differ
    table = table.assign(
        rank=[study.rank(arm) for arm in table["arm"]],
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
    palette, seeds = style.colours(list(study.samplings)), table["seed"].nunique()
    for sampling, colour in palette.items():
        for basis, block in table[table["sampling"] == sampling].groupby("basis", sort=False):
            spread = block.groupby("rank")[metric].agg(["mean", "std"])
            axes.errorbar(
                [place[r] for r in spread.index], spread["mean"], yerr=spread["std"] if seeds > 1 else None,
                color=colour, capsize=3, marker=MARKS[basis], markersize=6, linestyle="-" if basis == "pca" else "none",
                markerfacecolor=colour if basis == "pca" else "white", label=f"{sampling}, {style.basis(basis)}",
            )  # fmt: skip
    axes.set(ylabel=metrics.label(metric), title=study.title)
    _cut(axes, table.groupby(["sampling", "rank"], sort=False)[metric].mean(), place)
    style.logarithmic(axes.yaxis)
    axes.legend(ncols=len(palette), loc="upper left")
    if published:
        _published_guidance(panels[1, 0], table, place)
    last = panels[-1, 0]
    last.set_xticks(range(len(ranks)), [_rank_label(rank) for rank in ranks])
    last.set_xlabel("rank of the noise subspace in each patch")
    style.footnote(figure, metrics.note(table))
    figure.align_ylabels()
    return figure


def by_arm(table: pd.DataFrame, study: Study) -> Figure:
    """The first metric of each arm under each sampling setting, one row for an arm; small marks are single seeds.

    Settings that sample an arm after different lengths of training are named with the number of images seen.
    """
    figure, axes = plt.subplots(figsize=(6.4, 0.8 + 0.42 * len(study.arms)))
    _marks_by_arm(axes, ours(table), study)
    axes.set_title(study.title, pad=20)
    return figure


def _marks_by_arm(axes: Axes, table: pd.DataFrame, study: Study) -> None:
    metric, arms = metrics.first(table), list(study.arms)
    by_length = table.groupby(["arm", "seed"])["images_seen"].nunique().max() > 1
    for shift, (sampling, colour) in enumerate(style.colours(list(study.samplings)).items()):
        block = table[table["sampling"] == sampling]
        spread = block.groupby("arm")[metric].agg(["mean", "std"]).loc[arms]
        height = np.arange(len(arms)) + 0.18 * (shift - (len(study.samplings) - 1) / 2)
        axes.errorbar(
            spread["mean"],
            height,
            xerr=spread["std"] if table["seed"].nunique() > 1 else None,
            fmt="o",
            color=colour,
            capsize=3,
            label=f"{sampling}, {block['images_seen'].max():,.0f} images" if by_length else sampling,
        )
        axes.scatter(block[metric], [height[arms.index(a)] for a in block["arm"]], s=6, color=colour, alpha=0.5)
    axes.set_yticks(range(len(arms)), [f"{arm} *" if arm == study.reference else arm for arm in arms])
    axes.set_ylim(len(arms) - 0.5, -0.5)
    axes.set_xlabel(metrics.label(metric))
    if style.spans(table[metric]):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(study.samplings), borderaxespad=0)
    axes.annotate(
        f"* reference. {metrics.note(table)}", (1, 0), xycoords="axes fraction", xytext=(0, -40), textcoords="offset points",
        ha="right", fontsize=7, color="0.4",
    )  # fmt: skip


def against_images(table: pd.DataFrame, study: Study) -> Figure:
    """The first metric of each arm against the images that it had seen; thin lines are single seeds, bands their spread.

    The dashed level is what the reference reaches in the end; the note says how soon the other arms are there.
    """
    metric, reference = metrics.first(table), study.reference
    figure, axes = plt.subplots(figsize=(6.4, 4.0))
    for arm, colour in style.colours(list(study.arms)).items():
        curves = table[table["arm"] == arm].pivot(index="images_seen", columns="seed", values=metric)
        mean, spread = curves.mean(axis=1), curves.std(axis=1).fillna(0)
        axes.plot(curves.index, curves, color=colour, linewidth=0.6, alpha=0.5)
        axes.plot(curves.index, mean, color=colour, marker="o", markersize=4, label=arm)
        axes.fill_between(curves.index, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0)
        if arm == reference:
            axes.axhline(mean.iloc[-1], color=colour, linestyle="--", linewidth=0.8)
    notes = [_speedup_note(row) for _, row in speedup(table, reference).query("seed == 'all'").iterrows()]
    axes.text(0.98, 0.72, "\n".join(notes), transform=axes.transAxes, fontsize=8, ha="right")  # below the legend
    axes.set(xlabel="training images seen", ylabel=metrics.label(metric), title=study.title)
    style.logarithmic(axes.yaxis)
    axes.legend()
    style.footnote(figure, metrics.note(table))
    return figure


def _speedup_note(row: pd.Series) -> str:
    if row["share"] == float("inf"):
        return f"{row['arm']} does not reach the last value of {row['reference']} in every seed"
    known = f"\n(95 %: {100 * row['share_low']:.0f} to {100 * row['share_high']:.0f} %)"
    return (
        f"{row['arm']} needs {100 * row['share']:.0f} % of the images\nfor the last value of {row['reference']}"
        f"{known if row['share_low'] == row['share_low'] else ''}"
    )


def against_width(table: pd.DataFrame, study: Study) -> Figure:
    """The first metric against the network's width, a line for each rank; the dotted line is the patch dimension D."""
    metric, fields = metrics.first(table), study.arms
    table = table.assign(
        width=[fields[arm]["network.width"] for arm in table["arm"]],
        rank=[study.rank(arm) for arm in table["arm"]],
    )
    figure, axes = plt.subplots(figsize=(6.4, 4.0))
    for (rank, block), colour in zip(table.groupby("rank"), style.OTHERS, strict=False):
        spread = block.groupby("width")[metric].agg(["mean", "std"])
        name = style.rank(rank) + {0: ": predicts the image", float("inf"): ": predicts the velocity"}.get(rank, "")
        whiskers = spread["std"] if table["seed"].nunique() > 1 else None
        axes.errorbar(spread.index, spread["mean"], yerr=whiskers, color=colour, capsize=3, marker="o", label=name)
    D = 3 * next(iter(fields.values()))["representation.patch_size"] ** 2
    axes.axvline(D, color="0.4", linestyle=":")
    axes.annotate(f"D = {D}", (D, 1), xycoords=("data", "axes fraction"), xytext=(4, -10), textcoords="offset points")
    axes.set(xlabel="width of the network", ylabel=metrics.label(metric), title=study.title)
    axes.set_xticks(sorted(set(table["width"])))
    style.logarithmic(axes.yaxis)
    axes.legend()
    style.footnote(figure, metrics.note(table))
    return figure


def guidance_surfaces(table: pd.DataFrame, study: Study, searches: dict[str, dict[str, Any]]) -> Figure:
    """Every candidate that each arm's search looked at, by scale and interval; large marks were judged by all samples.

    The star is the optimum, the cross the published choice.
    """
    columns = min(4, len(searches))
    rows = -(-len(searches) // columns)
    figure, panels = plt.subplots(
        rows, columns, figsize=(2.3 * columns, 2.3 * rows + 0.5), sharex=True, sharey=True, squeeze=False
    )
    for panel in panels.flat[len(searches) :]:
        panel.set_visible(False)
    for panel, (arm, search) in zip(panels.flat, searches.items(), strict=False):
        points, best = pd.DataFrame(search["candidates"]), search["optimum"]
        points = points[points["average"].isna() if best["average"] is None else points["average"] == best["average"]]
        final = points["samples"] == best["samples"]
        marks = panel.scatter(
            points["scale"], points["end"], c=points["value"] / best["value"], s=np.where(final, 34, 10),
            cmap="viridis_r", norm="log", vmin=1, vmax=2, linewidths=0,
        )  # fmt: skip
        panel.plot(best["scale"], best["end"], "*", color="#c8553d", markersize=12)
        published = table[table["arm"] == arm].iloc[0]
        if "published_guidance" in table and published["published_guidance"] == published["published_guidance"]:
            panel.plot(published["published_guidance"], published["published_interval_high"], "x", color="0.2")
        panel.set_title(f"{arm}: {best['scale']:g}, [0, {best['end']:g}]", fontsize=8)
    figure.suptitle(study.title, fontweight="bold", fontsize=10)
    figure.supxlabel("guidance scale", fontsize=9)
    figure.supylabel("end of the guidance interval", fontsize=9)
    bar = figure.colorbar(marks, ax=panels, shrink=0.8, label=f"{metrics.first(table)}, by the best")
    bar.set_ticks([1, 1.2, 1.5, 2], labels=["1", "1.2", "1.5", "2 or more"])
    bar.minorticks_off()
    note = (
        "star: found; cross: published for JiT-H/16 on ImageNet; first seed\n"
        "large marks: judged by all samples; small ones: dropped on fewer, with which every distance reads higher"
    )
    style.footnote(figure, note)
    return figure


def beside_bases(table: pd.DataFrame, study: Study, bases: dict[str, np.ndarray]) -> Figure:
    """The first metric of each arm, and beside it the directions (D, r) that span its subspace, as patches."""
    arms, shown = list(study.arms), max(basis.shape[1] for basis in bases.values())
    figure = plt.figure(figsize=(9.0, 1.0 + 0.62 * len(arms)))
    grid = figure.add_gridspec(len(arms), shown + 8, wspace=0.08, hspace=0.25)
    axes = figure.add_subplot(grid[:, :7])
    _marks_by_arm(axes, table, study)
    for row, arm in enumerate(arms):
        for column, direction in enumerate(bases[arm].T):
            image_figures.show_direction(figure.add_subplot(grid[row, 8 + column]), direction)
    figure.suptitle(study.title, fontweight="bold", fontsize=10, y=1.05)
    return figure


def beside_systems(table: pd.DataFrame, study: Study) -> Figure:
    """The first metric of each arm, and apart from it the published FID of other systems, best first, with what they cost.

    The two have neither metric nor data in common: they are two panels, and no line leads from one to the other.
    """
    systems = table[table["seed"].isna()].sort_values("published_fid").reset_index(drop=True)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11.0, 1.2 + 0.22 * len(systems)))
    _marks_by_arm(left, ours(table), study)
    left.set_title("measured here", fontsize=9, loc="left")
    for kind, colour in style.colours(list(systems["published_kind"].unique())).items():
        block = systems[systems["published_kind"] == kind]
        right.plot(block["published_fid"], block.index, "o", color=colour, markersize=5, label=kind)
    for row, system in systems.iterrows():
        cost = system["published_gflops"]
        right.annotate(
            "cost unknown" if cost != cost else f"{cost:g} GFLOPs", (1, row), xycoords=("axes fraction", "data"),
            ha="right", va="center", fontsize=7, color="0.4",
        )  # fmt: skip
    stars = systems["published_protocol"].map({"JiT": "*"}).fillna("")
    right.set_yticks(systems.index, systems["arm"] + stars, fontsize=7)
    right.invert_yaxis()
    right.set_xlim(1, 5.6)
    right.set_xlabel("published FID, ImageNet 256  (lower is better)")
    right.set_title("published (* JiT's evaluation, which may read up to 0.08 lower)", fontsize=9)
    right.legend(loc="upper center", bbox_to_anchor=(0.6, 0.98), fontsize=7)
    figure.suptitle(study.title, fontweight="bold", fontsize=10)
    figure.tight_layout()
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


def _cut(axes: Axes, means: pd.Series, place: dict[float, int]) -> None:
    """Ends the axis below means that lie far above the others, which would make one line of all these, and names them."""
    far = means[means > style.FAR * means.median()]
    if far.empty:
        return
    rest = means.drop(far.index)
    axes.set_ylim(rest.min() / 1.2, rest.max() * 2)
    for rank, block in far.groupby("rank"):
        text = "\n".join(f"{sampling}\n{value:.0f}" for (sampling, _), value in block.items())
        axes.text(place[rank], rest.max() * 1.9, f"\u2191\n{text}", ha="center", va="top", fontsize=7, linespacing=1.2)


def _rank_label(rank: float) -> str:
    if rank == float("inf"):
        return "D\n$u$-prediction"
    return "0\n$x_0$-prediction" if rank == 0 else f"{rank:g}"
