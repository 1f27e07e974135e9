"""Figures of images, and of the directions of patch space."""

from textwrap import shorten

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from asymflow.report import style


def show_direction(panel: Axes, direction: np.ndarray) -> None:
    """A direction (D) of patch space as the patch that it is, grey where it is 0."""
    side = round((len(direction) / 3) ** 0.5)
    panel.imshow(0.5 + direction.reshape(side, side, 3) / (2 * np.abs(direction).max()), interpolation="nearest")
    _framed(panel)


def subspaces(bases: dict[str, tuple[np.ndarray, np.ndarray]], shown: int = 16) -> Figure:
    """The first directions of each basis as patches, and the share of energy that the first r directions leave out.

    `bases` maps a name to columns (D, D) in (row, column, channel) order and mean squared coefficients (D).
    """
    figure = plt.figure(figsize=(7.4, 1.0 + 0.75 * len(bases) + 2.4))
    top, bottom = figure.subfigures(2, 1, height_ratios=[0.75 * len(bases) + 0.3, 2.6])
    panels = top.subplots(len(bases), shown, squeeze=False)
    for row, (name, (basis, _)) in zip(panels, bases.items(), strict=True):
        for panel, direction in zip(row, basis.T, strict=False):
            show_direction(panel, direction)
        row[0].text(-0.2, 0.5, style.basis(name), transform=row[0].transAxes, ha="right", va="center", fontsize=8)
    top.suptitle(f"The first {shown} directions of each basis", fontweight="bold", fontsize=10)
    axes = bottom.subplots()
    for (name, (_, spectrum)), colour in zip(bases.items(), style.OTHERS, strict=False):
        left = 1 - np.concatenate([[0], np.cumsum(spectrum)]) / spectrum.sum()
        axes.plot(np.arange(len(left)), np.maximum(left, 1e-6), color=colour, label=style.basis(name))
    axes.set_xscale("symlog", linthresh=1)
    axes.set(yscale="log", ylim=(1e-4, 1.1), xlabel="rank r", ylabel="energy outside the subspace")
    axes.set_xticks(
        [0, 1, 2, 4, 8, 16, 32, 64, 128, len(left) - 1], labels=["0", "1", "2", "4", "8", "16", "32", "64", "128", "D"]
    )
    axes.minorticks_off()
    axes.legend()
    return figure


def image_rows(rows: dict[str, np.ndarray]) -> Figure:
    """A row of images (n, h, w, 3) behind each name. A shorter row leaves its end white."""
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


def crops(columns: dict[str, np.ndarray], captions: list[str]) -> Figure:
    """For each caption a row: the whole image of the first arm with a frame, and what every arm has within the frame."""
    side = next(iter(columns.values())).shape[1]
    low, high = side // 5, side // 5 + side // 2
    figure, panels = plt.subplots(
        len(captions), len(columns) + 1, figsize=(1.35 * (len(columns) + 1), 1.55 * len(captions)), squeeze=False,
        gridspec_kw={"wspace": 0.05, "hspace": 0.32},
    )  # fmt: skip
    for row, caption in enumerate(captions):
        whole = panels[row, 0]
        whole.imshow(next(iter(columns.values()))[row], interpolation="nearest")
        whole.add_patch(plt.Rectangle((low - 0.5, low - 0.5), high - low, high - low, fill=False, color="white"))
        for panel, images in zip(panels[row, 1:], columns.values(), strict=True):
            panel.imshow(images[row][low:high, low:high], interpolation="nearest")
        for panel in panels[row]:
            _framed(panel)
        whole.text(
            0,
            -0.06,
            shorten(caption, 110).replace("$", r"\$"),
            transform=whole.transAxes,
            fontsize=6,
            va="top",
            color="0.3",
        )
    for panel, name in zip(panels[0, 1:], columns, strict=True):
        panel.set_title(name, fontsize=7, fontweight="normal")
    return figure


def _framed(panel: Axes) -> None:
    """A picture without axes but with a thin frame, so that white ones have an edge."""
    panel.set(xticks=[], yticks=[])
    panel.spines[:].set(visible=True, color="0.8", linewidth=0.5)
