"""The error of the velocity by noise level and principal directions: its table and its figure."""

from itertools import cycle
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from asymflow.report import style
from asymflow.report.study import Study

SHOWN = (0.45, 2.5)  # of the error's ratio: a velocity that drowns in noise leaves the panel
SLOPE = "share of the noise\nthat is predicted"


def gather(cards: dict[tuple[str, int, str], dict[str, Any]], study: Study) -> pd.DataFrame:
    """One row for each run, noise level and group of directions: `cards` says what was measured by arm, seed and setting.

    `ratio` is the error over that of the arm's `reference` (`Study.reference_of`) with the same seed and setting.
    """
    rows = [
        {"arm": arm, "seed": seed, "sampling": sampling, "images_seen": card["images_seen"], "heldout": card["samples"]}
        | {"reference": study.reference_of(arm)}
        | row
        for (arm, seed, sampling), card in cards.items()
        for row in card["rows"]
    ]
    table, keys = pd.DataFrame(rows), ["reference", "seed", "sampling", "t", "last"]
    base = table[table["arm"] == table["reference"]][[*keys, "error"]].rename(columns={"error": "reference_error"})
    table = table.merge(base, on=keys, how="left")
    return table.assign(ratio=table["error"] / table["reference_error"]).drop(columns="reference_error")


def by_noise(table: pd.DataFrame, study: Study) -> Figure:
    """Above, each arm's error over the reference's, below, the share of the noise that it predicts; one column for each group."""
    table = table[table["sampling"] == study.first_sampling]
    groups = table[["first", "last"]].drop_duplicates().itertuples(index=False)
    groups = list(groups)
    figure, panels = plt.subplots(
        2, len(groups), figsize=(2.5 * len(groups) + 0.6, 4.6), sharex=True, sharey="row", squeeze=False
    )
    looks = _looks(study.arms)
    for column, (first, last) in enumerate(groups):
        block = table[table["last"] == last]
        for arm, (shade, dashes) in looks.items():
            for panel, values in zip(panels[:, column], ("ratio", "noise_passed"), strict=True):
                spread = block[block["arm"] == arm].groupby("t")[values].agg(["mean", "std"]).fillna(0)
                panel.plot(spread.index, spread["mean"], dashes, marker="o", markersize=3, color=shade, label=arm)
                low, high = spread["mean"] - spread["std"], spread["mean"] + spread["std"]
                panel.fill_between(spread.index, low, high, color=shade, alpha=0.2, linewidth=0)
        panels[0, column].set(yscale="log", ylim=SHOWN)
        panels[0, column].axhline(1, color="0.6", linewidth=0.8, zorder=0)
        panels[0, column].set_title(f"directions {first} to {last}")
        panels[1, column].set_xlabel("noise level t")
    panels[0, 0].set_yticks([0.5, 1, 2], ["0.5", "1", "2"])
    panels[0, 0].yaxis.set_minor_formatter(NullFormatter())
    panels[0, 0].set_ylabel(f"velocity error over that of\n{', '.join(dict.fromkeys(table['reference']))}")
    panels[1, 0].set_ylabel(SLOPE)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper center", ncols=min(len(labels), 8), bbox_to_anchor=(0.5, 0.01))
    figure.suptitle(study.title, fontsize=10, fontweight="bold")
    seeds, images = table["seed"].nunique(), int(table["heldout"].iloc[0])
    note = f"{images} held-out images, the same noise for every arm; {seeds} seed{'s' * (seeds > 1)}, bands: standard deviation"
    figure.tight_layout()
    style.footnote(figure, note)
    return figure


def _looks(arms: dict[str, dict[str, Any]]) -> dict[str, tuple[Any, str]]:
    """A colour and a style of line for each arm: the colour is that of all but its network, the style its network's."""

    def part(fields: dict[str, Any], *, network: bool) -> str:
        return repr(sorted((name, value) for name, value in fields.items() if name.startswith("network.") == network))

    others = {arm: part(fields, network=False) for arm, fields in arms.items()}
    networks = {arm: part(fields, network=True) for arm, fields in arms.items()}
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.92, len(set(others.values()))))
    colours = dict(zip(dict.fromkeys(others.values()), shades, strict=True))
    styles = dict(zip(dict.fromkeys(networks.values()), cycle(("-", "--", ":", "-.")), strict=False))
    return {arm: (colours[others[arm]], styles[networks[arm]]) for arm in arms}
