"""What the network should predict: a metric by target and network, and against what the training cost."""

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from asymflow.report import metrics, style
from asymflow.report.study import Study

SHAPES = ("o", "s", "D", "^", "v", "X")  # of networks


def by_target(table: pd.DataFrame, study: Study) -> Figure:
    """Left, the first metric of each target, a line for each network; right, of each arm against the seconds of its training.

    Targets stand in the order of their first network's means, whiskers and small marks are over seeds.
    """
    metric, first = metrics.first(table), table[table["sampling"] == study.first_sampling]
    first = first.assign(
        target=[target_name(study.arms[arm]) for arm in first["arm"]],
        network=[network_name(study.arms[arm]) for arm in first["arm"]],
    )
    networks = list(dict.fromkeys(first["network"]))
    means = first[first["network"] == networks[0]].groupby("target")[metric].mean().sort_values()
    others = (target for target in dict.fromkeys(first["target"]) if target not in means.index)
    targets = [*means.index, *others]
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(8.6, 0.9 + 0.34 * max(len(targets), 8)), width_ratios=(3, 2), sharex=False
    )
    palette = dict(zip(networks, ("#3a6ea5", "#c8553d", *style.OTHERS), strict=False))
    for index, (network, block) in enumerate(first.groupby("network", sort=False)):
        shape, shift = SHAPES[index % len(SHAPES)], 0.1 * (index - (len(networks) - 1) / 2)
        places = {target: place + shift for place, target in enumerate(targets)}
        _by_name(left, block, metric, places, palette[network], shape)
        spread = block.groupby("arm").agg(cost=("train_seconds", "mean"), value=(metric, "mean"))
        right.scatter(spread["cost"], spread["value"], color=palette[network], marker=shape, s=22, label=network)
    left.set_yticks(range(len(targets)), targets)
    left.set(ylim=(len(targets) - 0.5, -0.5), xlabel=metrics.label(metric), xscale="log")
    right.set(xlabel="seconds of training", ylabel=metrics.label(metric))
    style.logarithmic(right.yaxis)
    style.few_labels(left.xaxis)
    figure.suptitle(study.title, fontsize=10, fontweight="bold")
    figure.tight_layout()
    handles, labels = right.get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper center", ncols=min(len(labels), 6), bbox_to_anchor=(0.5, 0.01))
    style.footnote(figure, metrics.note(first))
    return figure


def _by_name(axes: Axes, block: pd.DataFrame, metric: str, places: dict[str, float], colour: str, shape: str) -> None:
    spread = block.groupby("target")[metric].agg(["mean", "std"]).reindex(list(places)).dropna(subset="mean")
    whiskers = spread["std"] if block["seed"].nunique() > 1 else None
    axes.errorbar(
        spread["mean"], [places[target] for target in spread.index], xerr=whiskers, fmt=shape, color=colour, capsize=2,
        markersize=5, linestyle="-", linewidth=0.8,
    )  # fmt: skip
    axes.scatter(block[metric], [places[target] for target in block["target"]], s=5, color=colour, alpha=0.5)


def target_name(fields: dict[str, Any]) -> str:
    """A target in a few words, from an arm's fields."""
    kind = fields["target.kind"]
    if kind == "asymmetric":
        rank, basis = fields["target.rank"], fields["target.basis"]
        of = {"pca": "", "pca_unexplained": " of unexplained variance"}.get(basis, f" of {basis}")
        return {0: "$x_0$", "full": "velocity"}.get(rank, f"AsymFlow, rank {rank}{of}")
    if kind == "isotropic":
        share = f"{fields['target.share']:.2g}"
        return f"$k$-Diff, learnt from share {share}" if fields["target.learnt"] else f"one share, {share}"
    if kind == "spectral":
        of = {"pca": "eigenvalues", "pca_unexplained": "unexplained variance"}.get(
            fields["target.basis"], fields["target.basis"]
        )
        return f"shares from {of}" + (", shuffled" if fields["target.shuffled"] else "")
    if kind == "opening":
        return f"opening, rank {fields['target.rank']}"
    return {"preconditioned": "EDM's preconditioning", "forced": "$x_0$ behind a low-pass"}[kind]


def network_name(fields: dict[str, Any]) -> str:
    """A network in a word or two, from an arm's fields."""
    names = {
        "jit": "JiT",
        "uvit": "long skips",
        "decoupled": "decoder",
        "gained": "gain on the input",
        "nanodit": "NanoDiT",
        "dit": "DiT",
    }
    name = names.get(fields["network.kind"], fields["network.kind"])
    return f"{name}, no bottleneck" if fields.get("network.bottleneck") == 0 else name
