"""How all figures look, and how they are written."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from asymflow.files import atomic

plt.rcParams.update(
    {
        "font.family": "DejaVu Sans",
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "0.92",
        "axes.axisbelow": True,
        "legend.frameon": False,
        "legend.fontsize": 8,
        "svg.hashsalt": "asymflow",  # the same figure gives the same bytes
        "figure.dpi": 100,
        "savefig.dpi": 200,
    }
)

COLOURS = {"unguided": "#3a6ea5", "guided": "#c8553d"}  # readable in grey and to the colour-blind
FAR = 8  # times the median: a value above it would press all others together
OTHERS = ("#5b8c5a", "#8d6a9f", "#b08900", "#4c4c4c", "#56b4e9")


def colours(names: list[str]) -> dict[str, str]:
    """A colour for each name: fixed for those that recur, from the rest of the palette for others."""
    spare = iter(OTHERS * len(names))
    return {name: COLOURS.get(name) or next(spare) for name in names}


def rank(number: float) -> str:
    """A target's rank as figures call it."""
    return "rank D" if number == float("inf") else f"rank {number:g}"


def spans(values: pd.Series) -> bool:
    """Whether one of the values lies so far above the others that they want a logarithmic scale."""
    return bool(values.max() > FAR * values.median())


def footnote(figure: Figure, text: str) -> None:
    """A small line below everything that the figure has so far, at its right end."""
    drawn = figure.get_tightbbox()  # inches
    width, height = figure.get_size_inches()
    figure.text(drawn.x1 / width, (drawn.y0 - 0.08) / height, text, ha="right", va="top", fontsize=7, color="0.4")


def logarithmic(axis: Axis) -> None:
    """A logarithmic scale whose labels stay few: 1, 2, 5 of each decade, fewer over many decades."""
    axis.axes.set_yscale("log")
    few_labels(axis)


def few_labels(axis: Axis) -> None:
    """Labels of a scale that is logarithmic already: 1, 2, 5 of each decade, fewer over many decades."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 300 else (1,)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def save(figure: Figure, paths: list[Path]) -> None:
    """Writes the figure in the format of each path's suffix and closes it."""
    for path in paths:
        dated = {"Date": None} if path.suffix == ".svg" else {"Software": None}  # no time stamp: same bytes every time
        with atomic(path) as temporary:
            figure.savefig(temporary, metadata=dated, bbox_inches="tight")
    plt.close(figure)


def basis(name: str) -> str:
    """A basis of patch space as figures name it."""
    names = {
        "pca": "PCA", "pca_centred": "PCA, centred", "pca_unexplained": "PCA, unexplained variance", "dct": "DCT",
        "random": "random", "identity": "identity",
    }  # fmt: skip
    return names[name]
