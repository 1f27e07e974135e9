"""Orthonormal bases of patch space: from data (PCA), frequencies (DCT), at random, and the coordinate axes.

Each basis is a full D x D orthogonal matrix whose first r columns span the subspace of rank r, so one basis serves every
rank of a sweep.
"""

from collections.abc import Iterable
from itertools import product

import numpy as np
import torch
from jaxtyping import Float
from scipy.fft import dct
from torch import Tensor

# from patches alone; pca_unexplained needs labels and whole images
FITTED = ("pca", "pca_centred", "dct", "random", "identity")


def columns(
    basis: str, gram: Float[Tensor, "D D"], total: Float[Tensor, "D"], count: int, patch_size: int, seed: int
) -> Float[Tensor, "D D"]:
    """All columns of a basis that is one of FITTED, from what `gram` gives of the patches; most look at these not at all."""
    match basis:
        case "pca":
            return pca(gram)[0]
        case "pca_centred":
            return pca(centred(gram, total, count))[0]
        case "dct":
            return dct_basis(patch_size)
        case "random":
            return random_basis(len(gram), seed)
    return identity_basis(len(gram))


def gram(batches: Iterable[Float[Tensor, "_ n D"]]) -> tuple[Float[Tensor, "D D"], Float[Tensor, "D"], int]:
    """The uncentred Gram matrix sum_i x_i x_i^T of all patches and their sum, both in float64, and their count.

    One batch is in memory at a time. Uncentred, as published, because P acts on raw patches: see `centred`.
    """
    squares, total, count = None, None, 0
    for batch in batches:
        patches = batch.flatten(0, 1).double()
        squares = patches.T @ patches if squares is None else squares.addmm_(patches.T, patches)
        total = patches.sum(0) if total is None else total.add_(patches.sum(0))
        count += len(patches)
    if squares is None:
        raise ValueError("no patches to fit a subspace to: the data set is empty")
    return squares, total, count


def centred(gram: Float[Tensor, "D D"], total: Float[Tensor, "D"], count: int) -> Float[Tensor, "D D"]:
    """The Gram matrix of the patches less their mean m, from what `gram` gives.

        sum_i (x_i - m) (x_i - m)^T = sum_i x_i x_i^T - n m m^T

    Its first r directions hold the most variance, not the most energy. But P acts on raw patches: what the mean patch, the
    average brightness, has outside the subspace is lost to it, and nobody adds it back.
    """
    return gram - torch.outer(total, total) / count


def pca(gram: Float[Tensor, "D D"]) -> tuple[Float[Tensor, "D D"], Float[Tensor, "D"]]:
    """The eigenvectors of a Gram matrix as columns, strongest first, and their eigenvalues.

        X = U S V^T,  A = U_r:  the columns are U, the values S^2            [AsymFlow, eq. 8]

    The sign of a column is free; here its largest entry is positive, so that pictures of a basis can be compared.
    """
    values, vectors = torch.linalg.eigh(gram)
    values, vectors = values.flip(0).clamp_min(0), vectors.flip(1)
    largest = vectors.gather(0, vectors.abs().argmax(dim=0, keepdim=True))
    return vectors * largest.sign(), values


def dct_basis(patch_size: int) -> Float[Tensor, "D D"]:
    """The orthonormal three-dimensional cosine transform (DCT-II) of a patch in (row, column, channel) order, in float64.

        f(i, j, k) = c_u(i) c_v(j) c_w(k),  c_u(i) = sqrt((2 - [u = 0]) / n) cos(pi u (2 i + 1) / (2 n))

                                                          [Ahmed, Natarajan and Rao, Discrete Cosine Transform, 1974]

    The lowest frequencies come first: columns ascend by u^2 + v^2 + w^2, equal ones by u + v + w, and then by (u, v, w). So
    rank 8 has all products of frequencies 0 and 1. Of RGB, w gives brightness, red against blue, and green against both; of
    Oklab, whose channels are opponent colours already, it gives mixtures of them.
    """
    # a frequency in each column
    spatial, across = (torch.from_numpy(dct(np.eye(n), norm="ortho")) for n in (patch_size, 3))
    columns = torch.kron(torch.kron(spatial, spatial), across)  # in the order of `product`
    indices = list(product(range(patch_size), range(patch_size), range(3)))
    ascending = sorted(range(len(indices)), key=lambda i: (sum(u * u for u in indices[i]), sum(indices[i]), indices[i]))
    return columns[:, ascending]


def random_basis(dimension: int, seed: int) -> Float[Tensor, "D D"]:
    """A uniformly random orthogonal matrix in float64: QR of a Gaussian matrix, signs fixed by the diagonal of R."""
    noise = torch.randn(dimension, dimension, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    q, r = torch.linalg.qr(noise)
    return q * r.diagonal().sign()


def identity_basis(dimension: int) -> Float[Tensor, "D D"]:
    """The coordinate axes. Its first r columns keep the noise of the first r values of a patch: a corner of its top row."""
    return torch.eye(dimension, dtype=torch.float64)
