"""Precision and recall of samples by nearest neighbours: do samples look real, and are all real images covered?

Letters in shapes: n and m features, d their dimension.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float
from torch import Tensor

CHUNK = 2_000  # rows of the distance matrix in memory at a time


def precision_recall(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], *, neighbours: int) -> tuple[float, float]:
    """Improved precision and recall.                          [Kynkaanniemi et al., 2019, eq. 1-3; k = 3 in the paper]

    A set covers the union of balls around its features, each reaching to its k-th nearest neighbour in the same set.
    Precision is the share of fake features that the real set covers, recall the share of real ones that the fake set
    covers. Balls shrink as a set grows, so both sets must have the same size; anything else raises. Distances are exact
    to float64 rounding.
    """
    if len(real) != len(fake):
        raise ValueError(f"{len(real)} real and {len(fake)} fake features; precision and recall need as many of each")
    if len(real) <= neighbours:
        raise ValueError(f"{len(real)} features do not have {neighbours} neighbours each; use more samples")
    return coverage(real, fake, neighbours=neighbours)


def coverage(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], *, neighbours: int) -> tuple[float, float]:
    """The same for sets of any size, as ADM's evaluator has it: 10 000 real images against 50 000 samples.

    The larger set has the smaller balls, so the numbers compare with those of the same two sizes alone.
    """
    centre = real.double().mean(0)  # distances by |x|^2 + |y|^2 - 2 x.y lose digits far from the origin
    real, fake = real.double() - centre, fake.double() - centre
    precision = _covered(fake, real, _radii(real, neighbours)).double().mean()
    recall = _covered(real, fake, _radii(fake, neighbours)).double().mean()
    return precision.item(), recall.item()


def _radii(features: Float[Tensor, "n d"], neighbours: int) -> Float[Tensor, "n"]:
    """The squared distance of each feature to its k-th nearest other one."""
    radii = []
    for start, squares in _squared_distances(features, features):
        squares.diagonal(start).fill_(torch.inf)
        radii.append(squares.kthvalue(neighbours, dim=1).values)
    return torch.cat(radii)


def _covered(
    features: Float[Tensor, "n d"], centres: Float[Tensor, "m d"], radii: Float[Tensor, "m"]
) -> Bool[Tensor, "n"]:
    """Which features lie within at least one ball."""
    return torch.cat([(squares <= radii).any(1) for _, squares in _squared_distances(features, centres)])


def _squared_distances(left: Float[Tensor, "n d"], right: Float[Tensor, "m d"]) -> Iterator[tuple[int, Tensor]]:
    """Rows of the matrix of squared distances, with the number of the first row."""
    norms = right.square().sum(1)
    for start in range(0, len(left), CHUNK):
        rows = left[start : start + CHUNK]
        yield start, torch.addmm(norms + rows.square().sum(1, keepdim=True), rows, right.T, alpha=-2)
