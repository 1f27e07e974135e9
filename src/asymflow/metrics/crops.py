"""Crops for the patch Frechet distance, which sees detail at its own scale instead of whole pictures.

Letters in shapes: b images, h and w their sides, s the side of a crop.
"""

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor


def half_side(height: int, width: int) -> int:
    """The side of a crop that is half the image's shorter side."""
    return max(min(height, width) // 2, 1)


def random_crops(images: UInt8[Tensor, "b c h w"], first: int, *, side: int, seed: int) -> UInt8[Tensor, "b c s s"]:
    """One square crop of each image at a random place, for images numbered first, first + 1, ...

    The place is a function of (seed, number of the image) alone, so it depends neither on batches nor on order, and
    real and generated images with the same number are cropped at the same place.
    """
    places = (_place(seed, first + i, *(length - side for length in images.shape[-2:])) for i in range(len(images)))
    return torch.stack([image[:, y : y + side, x : x + side] for image, (y, x) in zip(images, places, strict=True)])


def centre_crops(images: UInt8[Tensor, "b c h w"], *, side: int) -> UInt8[Tensor, "b c s s"]:
    """The central square of each image."""
    top, left = ((length - side) // 2 for length in images.shape[-2:])
    return images[:, :, top : top + side, left : left + side]


def _place(seed: int, index: int, rows: int, columns: int) -> tuple[int, int]:
    """The upper left corner of one crop, rows and columns both inclusive."""
    words = (
        np.random.SeedSequence((seed, index)).generate_state(2, np.uint64).tolist()
    )  # a hash that numpy keeps stable
    return words[0] % (rows + 1), words[1] % (columns + 1)
