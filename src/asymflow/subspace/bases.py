"""Orthonormal bases of patch space: from data (PCA), at random, and the coordinate axes.

Each basis is a full D x D orthogonal matrix whose first r columns span the subspace of rank r, so one basis serves every
rank of a sweep.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor


def gram(batches: Iterable[Float[Tensor, "_ n D"]]) -> tuple[Float[Tensor, "D D"], int]:
    """The uncentred Gram matrix sum_i x_i x_i^T of all patches, in float64, and their count.

    One batch is in memory at a time. Uncentred, because P acts on raw patches: with the mean removed, the strongest
    direction of image patches, their brightness, could be missing from the subspace.
    """
    total, count = None, 0
    for batch in batches:
        patches = batch.flatten(0, 1).double()
        total = patches.T @ patches if total is None else total.addmm_(patches.T, patches)
        count += len(patches)
    if total is None:
        raise ValueError("no patches to fit a subspace to: the data set is empty")
    return total, count


def pca(gram: Float[Tensor, "D D"]) -> tuple[Float[Tensor, "D D"], Float[Tensor, "D"]]:
    """The eigenvectors of a Gram matrix as columns, strongest first, and their eigenvalues.

        X = U S V^T,  A = U_r:  the columns are U, the values S^2            [AsymFlow, eq. 8]

    The sign of a column is free; here its largest entry is positive, so that pictures of a basis can be compared.
    """
    values, vectors = torch.linalg.eigh(gram)
    values, vectors = values.flip(0).clamp_min(0), vectors.flip(1)
    largest = vectors.gather(0, vectors.abs().argmax(dim=0, keepdim=True))
    return vectors * largest.sign(), values


def random_basis(dimension: int, seed: int) -> Float[Tensor, "D D"]:
    """A uniformly random orthogonal matrix in float64: QR of a Gaussian matrix, signs fixed by the diagonal of R."""
    noise = torch.randn(dimension, dimension, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    q, r = torch.linalg.qr(noise)
    return q * r.diagonal().sign()


def identity_basis(dimension: int) -> Float[Tensor, "D D"]:
    """The coordinate axes. Its first r columns keep the noise of the first r values of a patch: a corner of its top row."""
    return torch.eye(dimension, dtype=torch.float64)
