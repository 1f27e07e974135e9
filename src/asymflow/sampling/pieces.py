"""Sampling in pieces: what is done survives an interruption, and several processes can share the work.

A piece says of what it is one, and which images it holds. It is taken again only if it is whole and of the same; all are joined
in the order of their numbers, never by what lies in the folder.
"""

from pathlib import Path

import numpy as np
import torch
import xxhash

from asymflow import files, tensors
from asymflow.files import writing

Identity = dict[str, str]  # what decides about the images


def ranges(count: int, batch: int) -> list[range]:
    """The numbers of the images of each piece."""
    return [range(start, min(start + batch, count)) for start in range(0, count, batch)]


def missing(folder: Path, count: int, batch: int, identity: Identity) -> list[range]:
    """The pieces that still have to be drawn; one that is damaged, or a piece of something else, counts as missing."""
    return [numbers for numbers in ranges(count, batch) if not _is_whole(_path(folder, numbers), numbers, identity)]


def write(folder: Path, numbers: range, images: np.ndarray, identity: Identity, seconds: float) -> None:
    """Keeps the samples with the given numbers, uint8 of (b, h, w, 3), and how long drawing them took."""
    description = {"identity": identity, "first": numbers.start, "seconds": seconds}
    tensors.save(_path(folder, numbers), "samples", {"images": torch.from_numpy(images)}, description)


def join(folder: Path, out: Path, count: int, batch: int, identity: Identity) -> tuple[str, float]:
    """Writes all pieces to `out` as one array (count, h, w, 3) of 8 bits, and gives the checksum of that file and the seconds
    that drawing took, of all processes and of all calls together.

    Raises ValueError when a piece is missing or damaged.
    """
    hasher, shape, seconds = xxhash.xxh3_128(), None, 0.0
    with writing(out) as file:
        for numbers in ranges(count, batch):
            path = _path(folder, numbers)
            if not _is_whole(path, numbers, identity):
                raise ValueError(f"{path} is missing or damaged; give the same command again, which draws it anew")
            images = tensors.load(path, "samples")["images"].numpy()
            seconds += tensors.describe(path, "samples")["seconds"]
            if shape is None:
                shape = (count, *images.shape[1:])
                header = _header(shape)
                hasher.update(header)
                file.write(header)
            hasher.update(images.data)
            file.write(images.data)
    return hasher.hexdigest(), seconds


def remove(folder: Path) -> None:
    """Removes the pieces, which nothing needs any more."""
    files.remove(folder)


def _is_whole(path: Path, numbers: range, identity: Identity) -> bool:
    try:
        description = tensors.describe(path, "samples")
        images = tensors.load(path, "samples")["images"]
    except (OSError, ValueError):
        return False
    return (description["identity"], description["first"], len(images)) == (identity, numbers.start, len(numbers))


def _path(folder: Path, numbers: range) -> Path:
    return folder / f"{numbers.start:08d}.safetensors"


def _header(shape: tuple[int, ...]) -> bytes:
    """The head of an .npy file of uint8 [NumPy's format 1.0]."""
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()
