"""How much of a patch the rest of its picture leaves unexplained, direction by direction.

Everything is linear: ridge regressions, fitted on one half of the images, their squared errors measured on the other, which no
weight and no strength has seen. Numbers are mean squares over held-out images, and means over places.

Letters in shapes: b images, n places of a picture, D directions of a patch, m numbers that something is regressed on, v levels of
noise. Coefficients are those of patches in an orthonormal basis, leading directions first, in any precision; sums are float64.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

REACH = 1  # the context of a patch: those at most so many steps away, in rows, columns and diagonals. docs/spectrum.md has why
LEADING = 64  # directions of each of them that are regressed on
PLACES = 64  # of a picture that are regressed; of larger grids evenly spread ones
SMALLEST = 10  # images that can be halved, and one half once more
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # of the ridge on coefficients: the variance of noise that would act like it
COUNTS = (
    1.0,
    10.0,
    100.0,
    1000.0,
)  # of the ridge on classes: how many images of the mean each class is given beside its own


class Rows(NamedTuple):
    """Which images weights are fitted on, which choose the strength of the ridge, and which measure."""

    fitted: Int[Tensor, "_"]
    choosing: Int[Tensor, "_"]
    heldout: Int[Tensor, "_"]

    @property
    def half(self) -> Int[Tensor, "_"]:
        """All that may be fitted on once the strength is chosen."""
        return torch.cat([self.fitted, self.choosing])


class Moments(NamedTuple):
    """Means over images of the products of what is explained, y (D), and of what it is regressed on, x (m)."""

    own: Float[Tensor, "D"]  # y_k^2
    cross: Float[Tensor, "m D"]  # x y^T
    context: Float[Tensor, "m m"]  # x x^T


def split(count: int, seed: int, mirrored: bool = False) -> Rows:
    """Half of the images at random for fitting, a fifth of these for choosing, the others held out.

    With mirrored copies, which come after all `count` images in the same order, an image and its copy stay together. Raises
    ValueError for too few images.
    """
    if count < SMALLEST:
        raise ValueError(f"{count} images cannot be halved to measure on one half; expected {SMALLEST} or more")
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    parts = order.tensor_split([2 * count // 5, count // 2])
    return Rows(*(torch.cat([part, part + count]) if mirrored else part for part in parts))


def places(grid: tuple[int, int]) -> list[int]:
    """The places that are regressed, in raster order: all, or every s-th of every s-th row, at most about `PLACES`."""
    height, width = grid
    step = max(1, round((height * width / PLACES) ** 0.5))
    return [row * width + column for row in range(step // 2, height, step) for column in range(step // 2, width, step)]


def neighbours(place: int, grid: tuple[int, int], reach: int = REACH) -> list[int]:
    """The other places at most `reach` steps away in rows and columns, clipped at the picture's borders."""
    height, width = grid
    row, column = divmod(place, width)
    rows = range(max(0, row - reach), min(height, row + reach + 1))
    columns = range(max(0, column - reach), min(width, column + reach + 1))
    return [r * width + c for r in rows for c in columns if r * width + c != place]


def centred(coefficients: Float[Tensor, "b n D"], rows: Rows) -> Float[Tensor, "b n D"]:
    """The coefficients less their mean at each place over the fitting half: the mean counts as explained."""
    return coefficients - coefficients[rows.half].mean(0)


def moments(own: Float[Tensor, "b D"], context: Float[Tensor, "b m"]) -> Moments:
    """The means of all products that a regression of `own` on `context` and its error depend on, in float64."""
    y, x = own.double(), context.double()
    return Moments(y.square().mean(0), x.T @ y / len(x), x.T @ x / len(x))


def ridge(fitted: Moments, strength: float) -> Float[Tensor, "m D"]:
    """The weights of the regression of y on x with a ridge of this strength.

        W = (E x x^T + lambda I)^-1 E x y^T

    The same as of y on x with independent noise of variance lambda.
    """
    penalised = fitted.context + strength * torch.eye(len(fitted.context), dtype=torch.float64)
    return torch.cholesky_solve(fitted.cross, torch.linalg.cholesky(penalised))


def error(weights: Float[Tensor, "m D"], heldout: Moments) -> Float[Tensor, "D"]:
    """E (y_k - (W^T x)_k)^2 of the images that the moments are of."""
    return heldout.own + (weights * (heldout.context @ weights - 2 * heldout.cross)).sum(0)


def noisy_error(weights: Float[Tensor, "m D"], heldout: Moments, variance: float) -> Float[Tensor, "D"]:
    """The same where x has independent noise of this variance: E (y - W^T (x + noise))^2."""
    return error(weights, heldout) + variance * weights.square().sum(0)


def wiener(variance: Float[Tensor, "*D"], noise: float) -> Float[Tensor, "*D"]:
    """The error of a number of this variance that is seen with noise, and nothing else is: l s^2 / (l + s^2)."""
    return variance * noise / (variance + noise)


def noise_variance(t: float) -> float:
    """The variance of the noise on x_0 in x_t / (1 - t): (t / (1 - t))^2."""
    return (t / (1 - t)) ** 2


def without_class(
    coefficients: Float[Tensor, "b n D"], labels: Int[Tensor, "b"], rows: Int[Tensor, "_"], count: Float[Tensor, "D"]
) -> Float[Tensor, "b n D"]:
    """Centred coefficients less what the class says of them: the ridge regression on its one-hot vector over these rows.

    y_k - sum over images i of the class of y_ki / (n_class + lambda_k)
    """
    classes = int(labels.max()) + 1
    sums = coefficients.new_zeros(classes, *coefficients.shape[1:]).index_add_(0, labels[rows], coefficients[rows])
    images = labels[rows].bincount(minlength=classes)[:, None, None]
    return coefficients - (sums / (images + count.to(sums)))[labels]


def unexplained_by_class(
    coefficients: Float[Tensor, "b n D"], labels: Int[Tensor, "b"], rows: Rows, at: Sequence[int]
) -> tuple[Float[Tensor, "D"], Float[Tensor, "D"]]:
    """The variance of centred coefficients that the class leaves, and for each direction the strength of the ridge, in images.

    With a single class it is the variance.
    """
    here = coefficients[:, at].double()
    counts = here.new_tensor(COUNTS)[:, None].expand(-1, here.shape[2])

    def left(fitted: Tensor, measured: Tensor) -> Tensor:
        rests = (without_class(here, labels, fitted, count)[measured] for count in counts)
        return torch.stack([rest.square().mean((0, 1)) for rest in rests])

    return _chosen(left(rows.fitted, rows.choosing), left(rows.half, rows.heldout), COUNTS)


def unexplained_by_others(
    coefficients: Float[Tensor, "b n D"], rows: Rows, grid: tuple[int, int], reach: int = REACH, leading: int = LEADING
) -> tuple[Float[Tensor, "D"], Float[Tensor, "D"]]:
    """The variance of centred coefficients that the patches around leave, and the strength of the ridge for each direction."""
    choosing, heldout, at = 0, 0, places(grid)
    for place in at:
        own, context = coefficients[:, place], around(coefficients, place, grid, reach, leading)
        first, second, third = (moments(own[part], context[part]) for part in rows)
        both = _pooled(first, second, len(rows.fitted), len(rows.choosing))
        choosing = choosing + torch.stack([error(ridge(first, strength), second) for strength in STRENGTHS])
        heldout = heldout + torch.stack([error(ridge(both, strength), third) for strength in STRENGTHS])
    return _chosen(choosing / len(at), heldout / len(at), STRENGTHS)


def unexplained_by_both(
    coefficients: Float[Tensor, "b n D"], labels: Int[Tensor, "b"], rows: Rows, grid: tuple[int, int]
) -> tuple[Float[Tensor, "D"], Float[Tensor, "D"]]:
    """The same for the class and the patches around: what the class says is taken from both sides before the regression."""
    _, count = unexplained_by_class(coefficients, labels, rows, places(grid))
    return unexplained_by_others(without_class(coefficients, labels, rows.half, count), rows, grid)


def unexplained_by_noisy(
    coefficients: Float[Tensor, "b n D"], rows: Rows, grid: tuple[int, int], variances: Sequence[float]
) -> Float[Tensor, "v D"]:
    """The variance of centred coefficients that x_t leaves, the patch itself and those around, for each variance of the noise.

    The error of the best linear denoiser; the noise is its own ridge.
    """
    total, at = 0, places(grid)
    for place in at:
        own = coefficients[:, place]
        seen = torch.cat([own, around(coefficients, place, grid)], 1)
        fitted, heldout = (moments(own[part], seen[part]) for part in (rows.half, rows.heldout))
        total = total + torch.stack([noisy_error(ridge(fitted, v), heldout, v) for v in variances])
    return total / len(at)


def around(
    coefficients: Float[Tensor, "b n D"], place: int, grid: tuple[int, int], reach: int = REACH, leading: int = LEADING
) -> Float[Tensor, "b m"]:
    """The leading coefficients of the patches around a place."""
    return coefficients[:, neighbours(place, grid, reach), :leading].flatten(1)


def _pooled(one: Moments, other: Moments, count: int, others: int) -> Moments:
    share = count / (count + others)
    return Moments(*(share * a + (1 - share) * b for a, b in zip(one, other, strict=True)))


def _chosen(choosing: Tensor, heldout: Tensor, strengths: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """For each direction the held-out error at the strength with the least error among the choosing images, and that strength."""
    best = choosing.argmin(0)
    return heldout.gather(0, best[None])[0], heldout.new_tensor(strengths)[best]
