"""The figures that explain the method: what a network predicts at each rank, on one image.

All pictures are float arrays (h, w, 3) with 0 in the middle: grey is 0. Lengths and places are in inches from the
figure's upper left corner.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from asymflow.report import style  # also sets how figures look

TILE = 0.98  # side of a picture
IMAGE_RANGE = 1.0  # black to white spans minus to plus this in pictures of the image,
SIGNED_RANGE = 2.0  # and this in all others, where noise beyond two standard deviations is cut
NOISE_COLOUR, IMAGE_COLOUR = style.COLOURS["guided"], style.COLOURS["unguided"]
SMALL, PALE = 7.0, "0.35"


def shown_ranks(ranks: tuple[int, ...], dimension: int) -> list[int]:
    """The ranks below the patch dimension D, and D."""
    return [rank for rank in ranks if rank < dimension] + [dimension]


def noise_share(rank: int | np.ndarray, image_energy: float) -> float | np.ndarray:
    """How much of the target's energy is noise that the network has to predict.

        E|P eps|^2 / E|u_A|^2 = r / (r + E|x_0|^2)

    |x_0|^2 is the energy of a patch; noise has mean zero, so the two terms of u_A = P eps - x_0 add up.
    """
    return rank / (rank + image_energy)


def image_outside(spectrum: np.ndarray) -> np.ndarray:
    """E|(I - P) x_0|^2 / E|x_0|^2 at ranks 0 to D, from the mean squared coefficients (D) of patches in the basis."""
    return np.clip(1 - np.concatenate([[0], np.cumsum(spectrum)]) / spectrum.sum(), 0, 1)


def parameterisation(
    known: dict[str, np.ndarray], parts: dict[int, dict[str, np.ndarray]], t: float, image_energy: float
) -> Figure:
    """What a network predicts, and how the velocity is recovered from it; one row for a rank.    [AsymFlow, fig. 2]

    `known` has x_0, eps, x_t, u; `parts` maps a rank to noise, target, inside, outside, velocity; the greatest rank is D.
    """
    left = np.array([1.6, 3.16, 4.54, 5.84, 7.3])  # of the columns
    top, step = 2.98, TILE + 0.27
    height = top + step * len(parts) + 0.5
    figure, sheet = _sheet(left[-1] + TILE + 0.12, height)
    _known(sheet, known, left, t)
    _headings(sheet, left)
    for row, (rank, pictures) in enumerate(parts.items()):
        y = top + step * row
        _rank_name(sheet, 0.1, y + TILE / 2, rank, max(parts))
        for x, name in zip(left, ("noise", "target", "inside", "outside"), strict=False):
            _tile(sheet, x, y, pictures[name], SIGNED_RANGE)
        share = noise_share(rank, image_energy)
        _words(
            sheet, left[1] + TILE / 2, y + TILE + 0.11, f"{100 * share:.0f} % noise", color=NOISE_COLOUR, weight="bold"
        )
        _between(sheet, left, 0, y, "$-\\,x_0 =$")
        _arrow(sheet, (left[1] + TILE + 0.08, y + TILE / 2), (left[2] - 0.08, y + TILE / 2))
        _between(sheet, left, 2, y, "+")
    _recovered(sheet, known["u"], parts, left, top, step)
    _footnote(
        sheet,
        height - 0.2,
        f"Grey is 0; black to white spans $\\pm${IMAGE_RANGE:g} for $x_0$ and $\\pm${SIGNED_RANGE:g} elsewhere."
        "  % noise: $E|P\\epsilon|^2\\,/\\,E|u_A|^2$, its share of the target's energy.",
    )
    return figure


def components(parts: dict[int, dict[str, np.ndarray]], spectrum: np.ndarray) -> Figure:
    """The family from x_0- to u-prediction: the target's two parts at each rank, and their energies.    [AsymFlow, fig. 3]

    `parts` maps a rank to velocity, image, target; the greatest rank is D. The curves come from the mean squared
    coefficients (D) of patches in the basis and lie below the pictures, rank under rank.
    """
    left, pitch, top, step = 1.78, TILE + 0.1, 0.98, TILE + 0.2
    height, curves = top + 3 * step + 3.15, 2.0
    figure, sheet = _sheet(left + pitch * len(parts) + 0.1, height)
    centres = left + TILE / 2 + pitch * np.arange(len(parts))
    _family(sheet, centres, list(parts))
    rows = (
        ("velocity", "$P\\,u$", "velocity within\nthe subspace", "", SIGNED_RANGE),
        ("image", "$(I-P)\\,x_0$", "image outside it", "$-$", IMAGE_RANGE),
        ("target", "$u_A$", "what the network\npredicts", "$=$", SIGNED_RANGE),
    )
    for row, (name, symbol, meaning, operator, limit) in enumerate(rows):
        y = top + step * row
        _words(sheet, 0.3, y + TILE / 2 - 0.14, operator, size=11.0)
        _words(sheet, 0.5, y + TILE / 2 - 0.14, symbol, size=11.0, ha="left")
        _words(sheet, 0.5, y + TILE / 2 + 0.06, meaning, ha="left", va="top", color=PALE)
        for centre, pictures in zip(centres, parts.values(), strict=True):
            _tile(sheet, centre - TILE / 2, y, pictures[name], limit)
    width, bottom = figure.get_size_inches()[0], 0.82
    axes = figure.add_axes((left / width, bottom / height, 1 - (left + 0.1) / width, curves / height))
    _energies(axes, np.array(list(parts)), centres, spectrum)
    axes.set_xlim(left, width - 0.1)
    _footnote(
        sheet,
        height - 0.22,
        f"Grey is 0; black to white spans $\\pm${IMAGE_RANGE:g} for $(I-P)\\,x_0$ and $\\pm${SIGNED_RANGE:g} elsewhere."
        "\nCurves: noise as a share of the target's energy, image as a share of the image's, over training patches.",
    )
    return figure


def _sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure, and axes that cover it and count in inches from the upper left corner."""
    figure = plt.figure(figsize=(width, height))
    sheet = figure.add_axes((0, 0, 1, 1))
    sheet.set(xlim=(0, width), ylim=(height, 0), autoscale_on=False)
    sheet.set_axis_off()
    return figure, sheet


def _tile(sheet: Axes, x: float, y: float, picture: np.ndarray, limit: float) -> None:
    """A picture with its upper left corner at (x, y); values from -limit to limit are shown as 0 to 1. Zero says so."""
    shown = np.clip(0.5 + picture / (2 * limit), 0, 1)
    sheet.imshow(shown, extent=(x, x + TILE, y + TILE, y), aspect="auto", interpolation="nearest")
    if not picture.any():
        _words(sheet, x + TILE / 2, y + TILE / 2, "0", size=11.0, color="white")


def _words(sheet: Axes, x: float, y: float, text: str, size: float = SMALL + 0.5, **looks) -> None:
    sheet.text(x, y, text, size=size, **({"ha": "center", "va": "center"} | looks))


def _arrow(sheet: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    looks = {"arrowstyle": "-|>", "color": PALE, "shrinkA": 0, "shrinkB": 0, "linewidth": 1}
    sheet.annotate("", end, start, arrowprops=looks)


def _between(sheet: Axes, left: np.ndarray, column: int, y: float, text: str) -> None:
    """An operator between a picture and its right neighbour."""
    _words(sheet, (left[column] + TILE + left[column + 1]) / 2, y + TILE / 2, text, size=11.0)


def _footnote(sheet: Axes, y: float, text: str) -> None:
    _words(sheet, 0.1, y, text, size=SMALL, ha="left", color="0.4")


def _heading(sheet: Axes, x: float, y: float, symbol: str, meaning: str) -> None:
    """A symbol and what it is, in two lines above the picture at (x, y)."""
    _words(sheet, x + TILE / 2, y - 0.32, symbol, size=10.5)
    _words(sheet, x + TILE / 2, y - 0.11, meaning, color=PALE)


def _known(sheet: Axes, known: dict[str, np.ndarray], left: np.ndarray, t: float) -> None:
    """The band at the top: image and noise, the noisy image that the network sees, the velocity that it must give."""
    x, y = (left[0], left[1], left[3], left[4]), 0.55
    headings = (
        ("x_0", "$x_0$", "image", IMAGE_RANGE),
        ("eps", "$\\epsilon$", "noise", SIGNED_RANGE),
        ("x_t", f"$x_t = {1 - t:g}\\,x_0 + {t:g}\\,\\epsilon$", "noisy image: the input", SIGNED_RANGE),
        ("u", "$u = \\epsilon - x_0$", "velocity", SIGNED_RANGE),
    )
    for place, (name, symbol, meaning, limit) in zip(x, headings, strict=True):
        _heading(sheet, place, y, symbol, meaning)
        _tile(sheet, place, y, known[name], limit)
    _arrow(sheet, (x[1] + TILE + 0.08, y + TILE / 2), (x[2] - 0.08, y + TILE / 2))
    _words(sheet, 0.1, y + TILE / 2, "the same\nat every rank", ha="left", color=PALE)


def _headings(sheet: Axes, left: np.ndarray) -> None:
    """The names of the columns below the band, in two groups."""
    y = 1.93
    groups = (
        (left[0], left[1], "(a)  what the network predicts"),
        (left[2], left[4], "(b)  how the velocity is recovered"),
    )
    for start, end, text in groups:
        sheet.plot((start, end + TILE), (y, y), color="0.75", linewidth=0.8)
        _words(sheet, start, y + 0.16, text, size=8.5, ha="left", weight="bold")
    columns = (
        ("$P\\epsilon$", "noise within\nthe subspace"),
        ("$u_A = P\\epsilon - x_0$", "the target: noise\ninside, image all over"),
        ("$P\\,u_A$", "inside: velocity\nalready, kept"),
        ("$(I-P)\\,(x_t + u_A)/t$", "outside: image,\nturned into velocity"),
    )
    for x, (symbol, meaning) in zip(left, columns, strict=False):
        _words(sheet, x + TILE / 2, y + 0.46, symbol, size=10.0)
        _words(sheet, x + TILE / 2, y + 0.62, meaning, va="top", color=PALE)


def _rank_name(sheet: Axes, x: float, y: float, rank: int, dimension: int) -> None:
    between = f"predicts the image and\nnoise in {rank} dimensions"
    meaning = {0: "predicts the image\n($-x_0$)", dimension: "predicts the velocity\n($u$)"}.get(rank, between)
    _words(sheet, x, y - 0.1, f"rank {rank}{' = D' if rank == dimension else ''}", size=9.5, ha="left", weight="bold")
    _words(sheet, x, y + 0.03, meaning, ha="left", va="top", color=PALE)


def _recovered(
    sheet: Axes, u: np.ndarray, parts: dict[int, dict[str, np.ndarray]], left: np.ndarray, top: float, step: float
) -> None:
    """One velocity at the right of all rows, because every row gives the same; a bracket leads to it."""
    rows = top + step * np.arange(len(parts)) + TILE / 2
    start, spine = left[3] + TILE + 0.06, left[3] + TILE + 0.2
    middle = rows.mean()
    for y in rows:
        sheet.plot((start, spine), (y, y), color=PALE, linewidth=1)
    sheet.plot((spine, spine), (rows[0], rows[-1]), color=PALE, linewidth=1, solid_capstyle="projecting")
    _arrow(sheet, (spine, middle), (left[4] - 0.06, middle))
    _tile(sheet, left[4], middle - TILE / 2, next(iter(parts.values()))["velocity"], SIGNED_RANGE)
    error = max(np.abs(pictures["velocity"] - u).max() for pictures in parts.values())
    text = f"the same from every\nrank, to within {error:.0e}"
    _heading(sheet, left[4], middle - TILE / 2, "$u$", "velocity")
    _words(sheet, left[4] + TILE / 2, middle + TILE / 2 + 0.08, text, va="top", color=PALE)


def _family(sheet: Axes, centres: np.ndarray, ranks: list[int]) -> None:
    """The scale above the pictures: from x_0-prediction to u-prediction."""
    y, half = 0.5, TILE / 2
    _arrow(sheet, (centres[0] - half, y), (centres[-1] + half, y))
    _words(sheet, centres[0] - half, y - 0.22, "$x_0$-prediction", size=10.0, ha="left", weight="bold")
    _words(sheet, centres[-1] + half, y - 0.22, "$u$-prediction", size=10.0, ha="right", weight="bold")
    _words(sheet, centres.mean(), y - 0.22, "asymmetric flow: the family in between", color=PALE)
    for centre, rank in zip(centres, ranks, strict=True):
        _words(sheet, centre, y + 0.26, f"rank {rank}{' = D' if rank == ranks[-1] else ''}", size=9.0)


def _energies(axes: Axes, ranks: np.ndarray, centres: np.ndarray, spectrum: np.ndarray) -> None:
    """Noise in the target and image left outside, against rank, in per cent; the pictures' ranks lie at `centres`."""
    every = np.arange(len(spectrum) + 1)
    place = np.interp(np.log1p(every), np.log1p(ranks), centres)
    curves = (
        (100 * noise_share(every, spectrum.sum()), NOISE_COLOUR, "noise in the target"),
        (100 * image_outside(spectrum), IMAGE_COLOUR, "image outside the subspace"),
    )
    for values, colour, name in curves:
        axes.plot(place, values, color=colour, label=name)
        axes.plot(centres, values[ranks], "o", color=colour, markersize=4)
    for rank, centre in zip(ranks, centres, strict=True):
        pair = sorted((values[rank], colour) for values, colour, _ in curves)
        for (value, colour), shift in zip(pair, (-9, 9), strict=True):
            aside = 0 if shift < 0 else 8 if colour == IMAGE_COLOUR else -8  # off the line, which falls or rises
            axes.annotate(
                f"{round(value, 1):g} %", (centre, value), (aside, shift), textcoords="offset points", ha="center",
                va="center", color=colour, size=SMALL,
            )  # fmt: skip
    axes.set_xticks(centres, [f"{rank}" for rank in ranks[:-1]] + [f"{ranks[-1]} = D"])
    axes.set(
        ylim=(-16, 116),
        yticks=(0, 50, 100),
        yticklabels=("0", "50", "100"),
        ylabel="share of energy, %",
        xlabel="rank r",
    )
    axes.grid(visible=False, axis="x")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 0.98), ncols=2)
