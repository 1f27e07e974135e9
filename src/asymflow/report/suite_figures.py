"""Figures of studies of the validation suite, drawn from tables, curves and arrays alone."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from asymflow.report import metrics, style
from asymflow.report.study import Study
from asymflow.report.tables import ours

SMOOTHING = 5  # points of a training curve that a drawn point averages


def curves(points: dict[str, pd.DataFrame], title: str) -> Figure:
    """The flow matching loss of each arm against the images seen. Losses of other targets or weights are other numbers: compare
    the shape of curves, and the level only of arms with the same loss."""
    figure, axes = plt.subplots(figsize=(6.4, 4.4))
    lines = ("-", "--", ":")
    for i, (arm, curve) in enumerate(points.items()):
        smooth = curve["flow"].rolling(SMOOTHING, min_periods=1).mean()
        colour = style.OTHERS[i % len(style.OTHERS)]
        axes.plot(curve["images"], smooth, lines[i // len(style.OTHERS) % len(lines)], color=colour, label=arm)
    axes.set(xlabel="training images seen", ylabel="flow matching loss", title=title, yscale="log")
    axes.legend(ncols=2, fontsize=7)
    return figure


# metrics of the suite that its figure shows
SHOWN = ("fid", "recon_lpips", "text_lpips", "counterfactual_lpips", "told_edited_accuracy", "told_kept_accuracy")
FLOORS = {"floor: another image": ":", "floor: the image, blurred": "--"}


def suite(table: pd.DataFrame, study: Study) -> Figure:
    """The main metrics of the validation suite, a row for each arm, with bootstrap intervals over cases; small marks are seeds.

    Lines are what is scored in place of drawings: another image, or the image blurred.
    """
    measured, arms = ours(table), list(study.arms)
    floors = table[table["seed"].isna()].set_index("arm")
    columns = [column for column in metrics.names(table) if metrics.base(column) in SHOWN]
    figure, panels = plt.subplots(
        2, -(-len(columns) // 2), figsize=(10.5, 1.4 + 0.46 * len(arms)), sharey=True, squeeze=False
    )
    for panel, metric in zip(panels.flat, columns, strict=False):
        for sampling, colour in style.colours(list(study.samplings)).items():
            block = measured[measured["sampling"] == sampling]
            mean = (
                block.groupby("arm")[[c for c in (metric, f"{metric}_low", f"{metric}_high") if c in block]]
                .mean()
                .loc[arms]
            )
            reach = _reach(mean, metric) if f"{metric}_low" in mean else None
            rows = range(len(arms))
            panel.errorbar(
                mean[metric], rows, xerr=reach, fmt="o", color=colour, capsize=2, markersize=4, label=sampling
            )
            panel.scatter(block[metric], [arms.index(arm) for arm in block["arm"]], s=5, color=colour, alpha=0.5)
        for floor, line in FLOORS.items():
            if metric in floors and floor in floors.index and np.isfinite(floors.loc[floor, metric]):
                panel.axvline(floors.loc[floor, metric], color="0.4", linestyle=line, linewidth=0.8, label=floor)
        better = metrics.metric(metric).better
        panel.set_title(f"{metrics.metric(metric).label}  ({better})", fontsize=8, fontweight="normal")
        if metric.startswith("fid") and style.spans(measured[metric]):
            panel.set_xscale("log")
    for panel in panels[:, 0]:
        panel.set_yticks(range(len(arms)), [f"{arm} *" if arm == study.reference else arm for arm in arms], fontsize=7)
    panels[0, 0].set_ylim(len(arms) - 0.5, -0.5)
    handles = dict(zip(*reversed(panels.flat[1].get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncols=len(handles), bbox_to_anchor=(0.5, -0.05))
    figure.suptitle(study.title, fontweight="bold", fontsize=10)
    figure.tight_layout()
    return figure


def against_set(table: pd.DataFrame, study: Study) -> Figure:
    """Quality, and memorisation, against the number of training images, a line for each rank; bars are bootstrap intervals.

    Left: the first metric. Right: how much more alike a sample is to its nearest training image than to its nearest held-out one,
    among as many of either; 0 means no memorisation.
    """
    table = ours(table)
    memorised = metrics.named(table, "memorised_similarity")
    table = table.assign(rank=[study.rank(arm) for arm in table["arm"]])
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.6))
    metric = metrics.first(table)
    for (rank, block), colour in zip(table.groupby("rank"), style.OTHERS, strict=False):
        spread = block.groupby("set_images")[[metric, memorised, f"{memorised}_low", f"{memorised}_high"]].mean()
        left.plot(spread.index, spread[metric], color=colour, marker="o", label=style.rank(rank))
        right.errorbar(
            spread.index, spread[memorised], yerr=_reach(spread, memorised), color=colour, marker="o", capsize=3
        )
    right.axhline(0, color="0.4", linewidth=0.8)
    for axes in (left, right):
        axes.set(xscale="log", xlabel="training images")
        axes.set_xticks(sorted(set(table["set_images"])), [f"{n:g}" for n in sorted(set(table["set_images"]))])
        axes.minorticks_off()
    left.set(ylabel=metrics.label(metric))
    right.set(ylabel="similarity to the nearest training image\nless that to the nearest held-out image")
    left.legend()
    figure.suptitle(study.title, fontweight="bold", fontsize=10)
    figure.tight_layout()
    return figure


def _reach(values: pd.DataFrame, metric: str) -> np.ndarray:
    """How far (2, rows) the interval of a metric reaches below and above it, as whiskers are given."""
    return np.abs(values[[f"{metric}_low", f"{metric}_high"]].to_numpy().T - values[metric].to_numpy())
