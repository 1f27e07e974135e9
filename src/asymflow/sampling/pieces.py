"""Sampling in pieces: what is done survives an interruption, and several processes can share the work."""

import json
import shutil
from pathlib import Path

import numpy as np

from asymflow.files import atomic


def prepare(folder: Path, identity: dict[str, str]) -> None:
    """Readies the folder of pieces; those of another model or setting are removed."""
    marker = folder / "identity.json"
    text = json.dumps(identity, sort_keys=True)
    if folder.exists() and (not marker.exists() or marker.read_text() != text):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(marker) as temporary:
        temporary.write_text(text)


def missing(folder: Path, count: int, batch: int, rank: int, world_size: int) -> list[range]:
    """The index ranges that this process still has to draw."""
    ranges = [range(start, min(start + batch, count)) for start in range(0, count, batch)]
    return [r for r in ranges[rank::world_size] if not _path(folder, r).exists()]


def write(folder: Path, indices: range, images: np.ndarray) -> None:
    """Keeps the samples of one range."""
    with atomic(_path(folder, indices)) as temporary:
        np.save(temporary, images)


def join(folder: Path, out: Path) -> np.ndarray:
    """All pieces as one array (n, h, w, 3) of 8 bits, written to `out`; the pieces are removed."""
    images = np.concatenate([np.load(path) for path in sorted(folder.glob("*.npy"))])
    with atomic(out) as temporary:
        np.save(temporary, images)
    shutil.rmtree(folder)
    return images


def _path(folder: Path, indices: range) -> Path:
    return folder / f"{indices.start:08d}.npy"
