"""Frechet distance between two sets of features, from moments that are gathered batch by batch in float64.

Letters in shapes: n features, d their dimension.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import torch
from jaxtyping import Float
from scipy.linalg import lapack
from torch import Tensor

ACCURACY = 1e-7  # relative error of the distance up to which the fast way is trusted; measured ones are below 1e-10
CLEAR = 1e-4  # minimum share of the largest pivot, as a standard deviation, at which no direction counts as empty
EPSILON = np.finfo(np.float64).eps


@dataclass(frozen=True)
class Moments:
    """Count, mean and scatter of features: all that a Frechet distance needs.

    The scatter sum_i (x_i - mean)(x_i - mean)^T is kept instead of the raw Gram matrix sum_i x_i x_i^T, because taking
    the mean off a Gram matrix at the end cancels the digits of features that lie far from zero and vary little.
    """

    count: int
    mean: Float[Tensor, "d"]
    scatter: Float[Tensor, "d d"]

    @classmethod
    def empty(cls, dimension: int) -> "Moments":
        """The moments of no features at all."""
        return cls(
            0, torch.zeros(dimension, dtype=torch.float64), torch.zeros(dimension, dimension, dtype=torch.float64)
        )

    @classmethod
    def of(cls, features: Float[Tensor, "n d"]) -> "Moments":
        """The moments of one batch of at least one feature."""
        features = features.double().cpu()
        mean = features.mean(0)
        centred = features - mean
        return cls(len(features), mean, centred.T @ centred)

    def merge(self, other: "Moments") -> "Moments":
        """The moments of both sets together.                          [Chan, Golub and LeVeque, 1979, eq. 2.1]"""
        count = self.count + other.count
        if count == 0:
            return self
        step = other.mean - self.mean
        scatter = torch.addr(self.scatter + other.scatter, step, step, alpha=self.count * other.count / count)
        return type(self)(count, self.mean + step * (other.count / count), scatter)

    def update(self, features: Float[Tensor, "n d"]) -> "Moments":
        """The moments after one more batch."""
        return self.merge(type(self).of(features)) if len(features) else self

    @property
    def covariance(self) -> Float[Tensor, "d d"]:
        """The unbiased covariance, divided by count - 1. Raises when there are fewer than two features."""
        if self.count < 2:
            raise ValueError(f"a covariance was asked of {self.count} features; it takes at least 2")
        return self.scatter / (self.count - 1)


def frechet_distance(a: Moments, b: Moments) -> float:
    """The squared Frechet (2-Wasserstein) distance between the Gaussians with these moments.

        |m_a - m_b|^2 + tr S_a + tr S_b - 2 tr (S_a S_b)^(1/2)                         [Heusel et al., 2017, eq. 6]

    Exact for any covariances, also singular ones (fewer features than dimensions). With S_a = L L^T, the last trace is
    the sum of the square roots of the eigenvalues of L^T S_b L, which is symmetric. Their rounding error is estimated.
    Where the roots of tiny eigenvalues might cost more than a relative error of 1e-7 in the distance, the same trace is
    taken as the sum of the singular values of L_a^T L_b: no root to take, all digits, thrice the time.
    """
    if a.mean.shape != b.mean.shape:
        raise ValueError(f"features of {len(a.mean)} and of {len(b.mean)} dimensions cannot be compared")
    if a.count > b.count:  # the factor of the smaller set may have fewer columns
        a, b = b, a
    first, second = a.covariance.numpy(), b.covariance.numpy()
    rest = (a.mean - b.mean).square().sum().item() + np.trace(first).item() + np.trace(second).item()
    factor, order = _factor(first)
    scale = np.linalg.norm(first) * np.linalg.norm(second)
    trace, uncertainty = _root_trace(factor, second if order is None else second[np.ix_(order, order)], scale)
    if 2 * uncertainty > ACCURACY * (rest - 2 * trace):
        other, other_order = _factor(second)
        trace = scipy.linalg.svdvals(_unordered(factor, order).T @ _unordered(other, other_order)).sum().item()
    return rest - 2 * trace


def _factor(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """L (d, rank) and an order of the dimensions such that covariance[order, order] = L L^T; None keeps their order.

    Plain Cholesky where all directions clearly vary. Otherwise the pivoted one, at thrice the time: pivots below rounding
    level end it, so the noise in directions without variance does not enter the distance.
    """
    lower, failed = lapack.dpotrf(covariance, lower=1, clean=1)
    pivots = np.diag(lower)
    if not failed and pivots.min() > CLEAR * pivots.max():
        return lower, None
    lower, pivots, rank, _ = lapack.dpstrf(covariance, lower=1)
    return np.tril(lower)[:, :rank], pivots - 1


def _unordered(factor: np.ndarray, order: np.ndarray | None) -> np.ndarray:
    """The factor with its rows in the covariance's own order."""
    return factor if order is None else factor[np.argsort(order)]


def _root_trace(factor: np.ndarray, covariance: np.ndarray, scale: float) -> tuple[float, float]:
    """tr (L L^T S)^(1/2) by the eigenvalues of L^T S L, and an estimate of its rounding error; `scale` is |L L^T| |S|.

    An error e in an eigenvalue v is one of about e / (2 sqrt v) in its root, and of sqrt e at most; errors of different
    eigenvalues are taken as independent.
    """
    rank = factor.shape[1]
    square = np.zeros_like(covariance, order="F")
    square[:, :rank] = factor
    product, _ = lapack.dsygst(covariance, square, itype=2, lower=1)  # half the work of two general matrix products
    values = scipy.linalg.eigvalsh(product[:rank, :rank], lower=True, check_finite=False)
    roots = np.sqrt(values.clip(min=0))
    error = EPSILON * scale
    errors = error / np.maximum(2 * roots, np.sqrt(error))
    return roots.sum().item(), np.linalg.norm(errors).item()
