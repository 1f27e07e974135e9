"""What a protocol compares with: a file of published statistics, or the same statistics of images of one's own.

Files are numpy's .npz with `mu` and `sigma`, as ADM, JiT and clean-fid have them; ADM's also hold images (`arr_0`) for precision
and recall. Nothing in them is unpickled.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from asymflow.files import writing
from asymflow.metrics.frechet import Moments

MU, SIGMA, IMAGES = "mu", "sigma", "arr_0"
PATCHES = "_patches"  # at the end of the names of what is of central squares; ours alone


@dataclass(frozen=True)
class Reference:
    """Mean and covariance of features, and images where the file has some."""

    path: Path
    mu: np.ndarray
    sigma: np.ndarray
    images: np.ndarray | None  # (n, h, w, 3), uint8
    patches: tuple[np.ndarray, np.ndarray] | None  # mean and covariance of what is seen in central squares

    def moments(self) -> Moments:
        """Mean and covariance for a Frechet distance, which the count does not enter."""
        return gaussian(self.mu, self.sigma)


def gaussian(mu: np.ndarray, sigma: np.ndarray) -> Moments:
    """Moments with this mean and covariance."""
    return Moments(2, torch.from_numpy(mu).double(), torch.from_numpy(sigma).double())


def load(path: Path) -> Reference:
    """The reference in a file. Raises ValueError when it is no such file, and OSError when it cannot be opened."""
    try:
        with np.load(path, allow_pickle=False) as file:
            held = {name: file[name] for name in file.files}
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:  # TypeError: a single array, .npy
        raise ValueError(f"{path} is no whole .npz of arrays ({error}); fetch it again") from error
    if missing := [name for name in (MU, SIGMA) if name not in held]:
        raise ValueError(f"{path} has no {missing[0]!r}; it has {', '.join(sorted(held)) or 'nothing'}")
    mu, sigma, images = held[MU], held[SIGMA], held.get(IMAGES)
    if mu.ndim != 1 or sigma.shape != (len(mu), len(mu)):
        raise ValueError(
            f"{path} has mu of shape {mu.shape} and sigma of shape {sigma.shape}; expected (d,) and (d, d)"
        )
    if images is not None and (images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3):
        raise ValueError(f"{path} has {IMAGES} of {images.dtype} {images.shape}; expected uint8 images of (n, h, w, 3)")
    patches = (held[MU + PATCHES], held[SIGMA + PATCHES]) if MU + PATCHES in held else None
    return Reference(path, mu, sigma, images, patches)


def save(path: Path, arrays: dict[str, Any]) -> None:
    """Writes a file that `load` reads, whole or not at all."""
    with writing(path) as file:
        np.savez(file, **arrays)


def statistics(features: Float[Tensor, "n d"], names: str = "") -> dict[str, np.ndarray]:
    """Mean and unbiased covariance as a file holds them."""
    moments = Moments.of(features)
    return {MU + names: moments.mean.numpy(), SIGMA + names: moments.covariance.numpy()}
