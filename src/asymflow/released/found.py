"""Weights that others published, as weights of our networks, and back.

One module for each layout. Each reads what a file of that layout holds, and those whose files others load can write it:

    read(content, path) -> Found                tensors by our names, the subspace, the scale; an unknown name is an error
    write(found) -> dict[str, Tensor]           the inverse
    shapes(weights, grid, folder) -> Shapes     of what the network is conditioned on
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

EXACT = 1e-6  # departure from orthonormal columns up to which a basis is taken as it is


@dataclass(frozen=True)
class Found:
    """The trained tensors of a network by our names, and what gives its output a meaning."""

    weights: dict[str, Tensor]
    A: Float[Tensor, "D r"]
    s: float = 1.0


def mended(A: Float[Tensor, "D r"], path: Path) -> tuple[Float[Tensor, "D r"], float]:
    """The nearest orthonormal basis [polar factor], and how far the given one was from it: max |A^T A - 1|.

    Half precision leaves a basis 5e-5 (float16) to 5e-4 (bfloat16) from orthonormal, and the recovery takes P = A A^T to be a
    projection. One within 1e-6 is given back bit for bit. Raises ValueError beyond 1e-2: that is no basis.
    """
    double = A.double()
    departure = (
        (double.T @ double - torch.eye(A.shape[1], dtype=torch.float64)).abs().amax().item() if A.numel() else 0.0
    )
    if departure > 1e-2:
        raise ValueError(
            f"the columns of the subspace in {path} are no orthonormal basis: A^T A differs from 1 by {departure:.2g}; expected"
            " at most what half precision loses, 5e-4"
        )
    if departure <= EXACT:
        return A, departure
    left, _, right = torch.linalg.svd(double, full_matrices=False)
    return (left @ right).to(A.dtype), departure
