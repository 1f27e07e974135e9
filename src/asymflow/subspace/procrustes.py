"""The orthonormal lift from latent tokens to pixel patches, and its scale (orthogonal Procrustes)."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Paired:
    """The sums over all pairs of a pixel patch x and its latent token z that the lift depends on, in float64."""

    cross: Float[Tensor, "D d"]  # sum x z^T
    gram: Float[Tensor, "D D"]  # sum x x^T
    energy: float  # sum |z|^2
    count: int


def gather(batches: Iterable[tuple[Float[Tensor, "_ D"], Float[Tensor, "_ d"]]]) -> Paired:
    """The sums over batches of (pixel patches, latent tokens), row by row the same place; one batch is in memory at a time.

    Uncentred, as in the official code. Raises ValueError when there are none.
    """
    cross = gram = None
    energy, count = 0.0, 0
    for patches, tokens in batches:
        x, z = patches.double(), tokens.double()
        cross = x.T @ z if cross is None else cross.addmm_(x.T, z)
        gram = x.T @ x if gram is None else gram.addmm_(x.T, x)
        energy += z.square().sum().item()
        count += len(x)
    if cross is None or gram is None:
        raise ValueError("no pairs of patches and latent tokens to fit a lift to: the data set is empty")
    return Paired(cross, gram, energy, count)


def procrustes(paired: Paired) -> tuple[Float[Tensor, "D d"], float]:
    """The orthonormal A that brings A z nearest to x, and the scale s that A^T x needs to have the energy of z.

        X Z^T = U S V^T,   A = U V^T                             [AsymFlow, eq. 9-10]
        s = |A^T X| / |Z|   (Frobenius norms)                    [AsymFlow, eq. 12]

    X (D, N) and Z (d, N) hold all pairs. Raises ValueError when the latent dimension d exceeds the patch dimension D, and
    when the pairs do not determine the lift (X Z^T has a rank below d).
    """
    D, d = paired.cross.shape
    if d > D:
        raise ValueError(
            f"a latent token has {d} numbers, but a pixel patch only {D}: no orthonormal lift exists; use larger patches"
        )
    U, S, Vh = torch.linalg.svd(paired.cross, full_matrices=False)
    if S[-1] <= S[0] * torch.finfo(S.dtype).eps * D:
        rank = int((S[0] * torch.finfo(S.dtype).eps * D < S).sum())
        raise ValueError(
            f"the {paired.count} pairs of patches and latent tokens determine only {rank} of the lift's {d} directions;"
            " fit it on more images, or look for latent channels that are constant"
        )
    A = U @ Vh
    return A, (torch.einsum("Dd,DE,Ed->", A, paired.gram, A).item() / paired.energy) ** 0.5


def unexplained(paired: Paired, A: Float[Tensor, "D d"], s: float) -> float:
    """The share of the pixels' energy that the lift misses: |X - s A Z|^2 / |X|^2.

    Not what A minimises (eq. 9 has no scale), but what finetuning has to close.
    """
    total = paired.gram.trace().item()
    return (total - 2 * s * (A * paired.cross).sum().item() + s**2 * paired.energy) / total
