"""The subspace file: an orthonormal basis of patch space together with everything that gives it a meaning."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from asymflow.files import atomic
from asymflow.subspace.patches import Order

ORTHONORMAL_TOLERANCE = 1e-6  # of A^T A - I in float64; a float16 copy of a basis misses it by two orders


@dataclass(frozen=True)
class Subspace:
    """A basis, ready to be cut to any rank."""

    basis: Float[Tensor, "D K"]  # orthonormal columns, strongest first, float64
    spectrum: Float[Tensor, "K"]  # mean squared patch coefficient along each column; zeros where no data was used
    kind: str  # pca, random, identity
    patch_size: int  # pixels
    order: Order  # of the values within a patch
    colour: str  # colour space of the pixels, for instance rgb in [-1, 1]
    source: str  # what it was fitted on, for people
    patches: int  # how many patches it was fitted on

    def columns(self, rank: int) -> Float[Tensor, "D r"]:
        """A: the first `rank` columns in float32. Raises when the basis has fewer."""
        if rank > self.basis.shape[1]:
            raise ValueError(
                f"rank {rank} was asked of a {self.kind} basis that has only {self.basis.shape[1]} columns"
            )
        return self.basis[:, :rank].float()


def save(subspace: Subspace, path: Path | str) -> None:
    """Writes a subspace file (safetensors; the description is its metadata)."""
    names = ("kind", "patch_size", "order", "colour", "source", "patches")
    metadata = {name: str(getattr(subspace, name)) for name in names}
    tensors = {"basis": subspace.basis.contiguous(), "spectrum": subspace.spectrum.contiguous()}
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def load(path: Path | str, *, patch_size: int, order: Order, colour: str) -> Subspace:
    """The subspace in a file, checked against the patches that it is going to be used on.

    Raises ValueError when patch size, order or colour space differ, or the columns are not orthonormal: each of these
    gives a model that trains without any error and is not the model that was meant.
    """
    with safe_open(path, framework="pt") as file:
        metadata, basis, spectrum = file.metadata(), file.get_tensor("basis"), file.get_tensor("spectrum")
    for name, expected in (("patch_size", patch_size), ("order", order), ("colour", colour)):
        if metadata[name] != str(expected):
            raise ValueError(
                f"{path} was fitted with {name} {metadata[name]!r}, but the model works with {expected!r}; fit it again"
            )
    deviation = (basis.T @ basis - torch.eye(basis.shape[1], dtype=basis.dtype)).abs().max().item()
    if not deviation < ORTHONORMAL_TOLERANCE:
        raise ValueError(
            f"the basis in {path} is not orthonormal: A^T A differs from I by {deviation:.1e}; fit it again"
        )
    counts = {"patch_size": patch_size, "patches": int(metadata["patches"])}
    text = {name: metadata[name] for name in ("kind", "order", "colour", "source")}
    return Subspace(basis=basis, spectrum=spectrum, **text, **counts)
