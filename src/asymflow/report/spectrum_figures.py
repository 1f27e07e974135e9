"""The spectrum of patches: its table and its figure, variance against what the rest of a picture leaves of it."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from asymflow.report import style

VARIANCES = {  # column: what the legend calls it, colour
    "eigenvalue": ("nothing (eigenvalue)", "#4c4c4c"),
    "unexplained_class": ("the class", "#b08900"),
    "unexplained_others": ("the patches around", style.COLOURS["unguided"]),
    "unexplained_both": ("class and patches around", style.COLOURS["guided"]),
}


def table(
    columns: Mapping[str, np.ndarray], noisy: Mapping[float, np.ndarray], alone: Mapping[float, np.ndarray], **made: Any
) -> pd.DataFrame:
    """One row for each direction: numbers by column, denoising errors by noise level, and what the whole was made from."""
    values = dict(columns)
    for level, error in noisy.items():
        values |= {f"alone_{level:g}": alone[level], f"noisy_{level:g}": error}
    directions = np.arange(1, len(columns["eigenvalue"]) + 1)
    return pd.DataFrame({"direction": directions, **values}).assign(**made)


def spectrum(table: pd.DataFrame, noise: Mapping[float, float]) -> Figure:
    """Left, the variance of each direction that is left when something is known; right, the error of linear denoisers.

    `noise` has the variance of the noise at each noise level of the table.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.2), sharex=True, sharey=True)
    index = table["direction"]
    for column, (name, colour) in VARIANCES.items():
        line = "--" if column == "unexplained_both" else "-"  # often on the line before it
        left.plot(index, table[column], line, color=colour, label=name)
    shades = dict(zip(noise, plt.get_cmap("viridis")(np.linspace(0, 0.8, len(noise))), strict=True))
    for column, line, known in (("alone", ":", "the direction alone"), ("noisy", "-", "all around")):
        for level, colour in shades.items():
            right.plot(index, table[f"{column}_{level:g}"], line, color=colour, label=f"t = {level:g}, {known}")
    left.set(title="Variance that is left by what is known", ylabel="variance of the coefficient")
    left.set(xscale="log", yscale="log", ylim=_limits(table, noise))
    right.set(title="Error of the best linear denoiser")
    for axes in (left, right):
        _levels(axes, noise, at=len(table))
        axes.set_xlabel("principal direction")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
    figure.tight_layout()
    style.footnote(figure, _footnote(table))
    return figure


def _levels(axes: Axes, noise: Mapping[float, float], at: int) -> None:
    """A line where a variance equals that of the noise, for each noise level."""
    for level, variance in noise.items():
        axes.axhline(variance, color="0.6", linewidth=0.8, linestyle="--", zorder=0)
        name = f"noise at t = {level:g}"
        axes.annotate(name, (at, variance), (0, 2), textcoords="offset points", ha="right", fontsize=7, color="0.4")


def _limits(table: pd.DataFrame, noise: Mapping[float, float]) -> tuple[float, float]:
    """From the smallest variance that is drawn to the largest, noise included."""
    drawn = table[[*VARIANCES, *(f"noisy_{level:g}" for level in noise)]].to_numpy()
    return drawn[drawn > 0].min() / 1.5, 2 * max(drawn.max(), *noise.values())


def _footnote(table: pd.DataFrame) -> str:
    first = table.iloc[0]
    return (
        f"{first['data']}, {len(table)} numbers in a patch of {first['patch_size']} pixels; fitted on"
        f" {first['images'] - first['heldout']} images, measured on {first['heldout']} others"
    )
