"""What the network should predict: a metric by target and network, against what the training cost, and errors by noise level."""

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from asymflow.report import metrics, style
from asymflow.report.study import Study

SHAPES = ("o", "s", "D", "^", "v", "X")  # of networks
KINDS = {
    "asymmetric": "#3a6ea5",
    "isotropic": "#c8553d",
    "spectral": "#5b8c5a",
    "opening": "#8d6a9f",
    "preconditioned": "#b08900",
    "forced": "#4c4c4c",
}
STYLES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))  # of a kind's members
SHOWN = (0.1, 4.0)  # of the error's ratio: a velocity that drowns in noise leaves the panel


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


def errors(table: pd.DataFrame, study: Study) -> Figure:
    """The error of each target's velocity over that of its reference, by noise level: a row for each network, a column for each
    group of directions."""
    table = table[table["sampling"] == study.first_sampling]
    table = table.assign(network=[network_name(study.arms[arm]) for arm in table["arm"]])
    networks = list(dict.fromkeys(table["network"]))
    groups = list(table[["first", "last"]].drop_duplicates().itertuples(index=False))
    size = (2.3 * len(groups) + 0.7, 2.0 * len(networks) + 0.8)
    figure, panels = plt.subplots(len(networks), len(groups), figsize=size, sharex=True, sharey=True, squeeze=False)
    looks = _looks([study.arms[arm] for arm in dict.fromkeys(table["arm"])])
    for (network, last), block in table.groupby(["network", "last"], sort=False):
        row, column = networks.index(network), [group.last for group in groups].index(last)
        panel = panels[row, column]
        for arm, runs in block.groupby("arm", sort=False):
            colour, dashes = looks[target_name(study.arms[arm])]
            mean = runs.groupby("t")["ratio"].mean()
            panel.plot(mean.index, mean, linestyle=dashes, marker="o", markersize=2.5, linewidth=1.2, color=colour)
        reference = study.reference_of(block["arm"].iloc[0])
        panel.set(yscale="log", ylim=SHOWN)
        panels[row, 0].set_ylabel(f"{network}:\nvelocity error\nover that of {target_name(study.arms[reference])}")
    for panel, group in zip(panels[0], groups, strict=True):
        panel.set_title(f"directions {group.first} to {group.last}")
    for panel in panels[-1]:
        panel.set_xlabel("noise level t")
    style.logarithmic(panels[0, 0].yaxis)
    figure.suptitle(study.title, fontsize=10, fontweight="bold")
    figure.tight_layout()
    handles = [
        Line2D([], [], color=colour, linestyle=dashes, marker="o", markersize=2.5) for colour, dashes in looks.values()
    ]
    figure.legend(handles, list(looks), loc="upper center", ncols=min(len(looks), 4), bbox_to_anchor=(0.5, 0.01))
    seeds, images = table["seed"].nunique(), int(table["heldout"].iloc[0])
    beyond = int((table.groupby(["arm", "t", "last"])["ratio"].mean() > SHOWN[1]).sum())
    note = f"{images} held-out images, means of {seeds} seed{'s' * (seeds > 1)}; {beyond} means lie above the panels"
    style.footnote(figure, note)
    return figure


def _looks(arms: list[dict[str, Any]]) -> dict[str, tuple[str, Any]]:
    """A colour for each target's kind and a style of line for each of its members, by the target's name."""
    found: dict[str, dict[str, None]] = {}
    for fields in arms:
        found.setdefault(fields["target.kind"], {})[target_name(fields)] = None
    return {
        name: (KINDS[kind], STYLES[index % len(STYLES)])
        for kind, names in found.items()
        for index, name in enumerate(names)
    }


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
