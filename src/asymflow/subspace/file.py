"""The subspace file: an orthonormal basis of patch space together with everything that gives it a meaning."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from asymflow import tensors
from asymflow.config.representation import Order
from asymflow.subspace.patches import CHANNEL_LAST

ORTHONORMAL_TOLERANCE = 1e-6  # of A^T A - I in float64; a float16 copy of a basis misses it by two orders
DESCRIPTION = ("name", "patch_size", "order", "colour", "source", "patches", "scale", "data")


@dataclass(frozen=True)
class Subspace:
    """A basis, ready to be cut to any rank."""

    basis: Float[Tensor, "D K"]  # orthonormal columns, those of the smallest rank first, float64
    spectrum: Float[
        Tensor, "K"
    ]  # mean squared patch coefficient along each column, or what pca_unexplained has instead
    name: str  # pca, pca_centred, pca_unexplained, dct, random, identity; or procrustes, the lift from a latent space
    patch_size: int  # pixels
    order: Order  # of the values within a patch
    colour: str  # colour space of the pixels: rgb, oklab
    source: str  # what it was fitted on, for people
    patches: int  # how many patches it was fitted on
    scale: float = 1.0  # s of a lift from latent tokens (eq. 12); 1 without latents
    data: str = ""  # the name of the data set that it was fitted on

    def columns(self, rank: int) -> Float[Tensor, "D r"]:
        """A: the first `rank` columns in float32. Raises when the basis has fewer."""
        if rank > self.basis.shape[1]:
            raise ValueError(
                f"rank {rank} was asked of a {self.name} basis that has only {self.basis.shape[1]} columns"
            )
        return self.basis[:, :rank].float()

    def in_order(self, order: Order) -> "Subspace":
        """The same subspace of pixels whose values within a patch are ordered otherwise."""
        if order == self.order:
            return self
        p, numbers = self.patch_size, torch.arange(len(self.basis))
        if self.order == CHANNEL_LAST:
            rows = numbers.reshape(p, p, -1).permute(2, 0, 1).flatten()
        else:
            rows = numbers.reshape(-1, p, p).permute(1, 2, 0).flatten()
        return replace(self, basis=self.basis[rows], order=order)


def save(subspace: Subspace, path: Path | str) -> None:
    """Writes a subspace file."""
    description = {name: getattr(subspace, name) for name in DESCRIPTION}
    tensors.save(path, "subspace", {"basis": subspace.basis, "spectrum": subspace.spectrum}, description)


def load(path: Path | str, *, patch_size: int, order: Order, colour: str) -> Subspace:
    """The subspace in a file, checked against the patches that it is going to be used on.

    Raises ValueError when patch size, order or colour space differ, or the columns are not orthonormal: each of these
    gives a model that trains without any error and is not the model that was meant.
    """
    description = tensors.describe(path, "subspace")
    for name, expected in (("patch_size", patch_size), ("order", order), ("colour", colour)):
        if description[name] != expected:
            raise ValueError(
                f"{path} was fitted with {name} {description[name]!r}, but the model works with {expected!r}; fit it again"
            )
    loaded = Subspace(**tensors.load(path, "subspace"), **{name: description[name] for name in DESCRIPTION})
    deviation = (loaded.basis.T @ loaded.basis - torch.eye(loaded.basis.shape[1])).abs().max().item()
    if not deviation < ORTHONORMAL_TOLERANCE:
        raise ValueError(
            f"the basis in {path} is not orthonormal: A^T A differs from I by {deviation:.1e}; fit it again"
        )
    return loaded
