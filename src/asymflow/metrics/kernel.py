"""Kernel distance (KID) between two sets of features: unbiased at any number of samples, with its standard error.

Letters in shapes: n and m features, d their dimension.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Estimate(NamedTuple):
    """A number and its standard error."""

    value: float
    error: float


def kernel_distance(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"], *, blocks: int) -> Estimate:
    """The unbiased estimate of the squared maximum mean discrepancy with the cubic kernel.

        k(x, y) = (x . y / d + 1)^3
        MMD^2 = mean_{i != j} k(a_i, a_j) + mean_{i != j} k(b_i, b_j) - 2 mean_{i, j} k(a_i, b_j)
                                                                                     [Binkowski et al., 2018]

    The estimate uses all pairs: the same mean as the usual average over random subsets, with less variance. It may be
    negative, as an unbiased estimate of something near zero must. The standard error is the jackknife over `blocks`
    parts of consecutive features (2 or more), so features should come in no order; where the distributions are equal
    it errs on the large side. Arithmetic in float64. Raises when a set has fewer than two features for each block.
    """
    if blocks < 2 or min(len(a), len(b)) < 2 * blocks:
        raise ValueError(
            f"{len(a)} and {len(b)} features cannot be cut into {blocks} blocks; it takes 2 blocks of 2 or more"
        )
    parts_a, parts_b = a.double().tensor_split(blocks), b.double().tensor_split(blocks)
    sums = _kernel_sums(parts_a, parts_a), _kernel_sums(parts_b, parts_b), _kernel_sums(parts_a, parts_b)
    sizes = torch.tensor([[len(part) for part in parts] for parts in (parts_a, parts_b)], dtype=torch.float64)
    everything = torch.ones(blocks, dtype=torch.bool)
    without_one = torch.stack(
        [_estimate(*sums, sizes, everything ^ one) for one in torch.eye(blocks, dtype=torch.bool)]
    )
    error = ((blocks - 1) * without_one.var(correction=0)).sqrt()
    return Estimate(_estimate(*sums, sizes, everything).item(), error.item())


def _kernel_sums(left: tuple[Tensor, ...], right: tuple[Tensor, ...]) -> Tensor:
    """The sum of the kernel over each pair of parts, without the pairs of a feature with itself."""
    rows = []
    for i, x in enumerate(left):
        kernels = [(x @ y.T / x.shape[1] + 1) ** 3 for y in right]
        itself = kernels[i].trace() if left is right else 0
        rows.append(torch.stack([kernel.sum() - itself * (i == j) for j, kernel in enumerate(kernels)]))
    return torch.stack(rows).cpu()


def _estimate(aa: Tensor, bb: Tensor, ab: Tensor, sizes: Tensor, kept: Tensor) -> Tensor:
    """MMD^2 from the kernel sums of the kept parts."""
    n, m = sizes[:, kept].sum(1)
    inner_a, inner_b, between = (matrix[kept][:, kept].sum() for matrix in (aa, bb, ab))
    return inner_a / (n * (n - 1)) + inner_b / (m * (m - 1)) - 2 * between / (n * m)
