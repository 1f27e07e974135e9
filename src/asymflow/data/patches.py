"""Patches of a split's images: those that bases are fitted to and judged by."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from asymflow.config.representation import Colour
from asymflow.config.subspace import Subspace as Config
from asymflow.data.colour import from_rgb
from asymflow.data.order import permutation
from asymflow.data.reader import ShardReader
from asymflow.progress import Progress
from asymflow.subspace.patches import patchify

BATCH = 256  # images decoded at once
NUMBERS = 2**29  # coefficients that are in memory, 2 GiB


class Coefficients(NamedTuple):
    """Coefficients of the patches of whole images in a basis."""

    values: Float[Tensor, "b n D"]  # float32; all mirrored images, if any, come after all others
    labels: Int[Tensor, "b"]
    grid: tuple[int, int]  # rows and columns of patches
    images: int  # mirrored copies not counted


def chosen(reader: ShardReader, config: Config) -> Int[Tensor, "_"]:
    """The numbers of the images that bases see, ascending: as many as the configuration says, or all."""
    return permutation(len(reader), config.seed, epoch=0)[: config.images].sort().values


def patches(
    reader: ShardReader, numbers: Int[Tensor, "_"], patch_size: int, colour: Colour, *, flip: bool, what: str
) -> Iterator[Float[Tensor, "b n D"]]:
    """The patches of these images batch by batch, in float64; with `flip` each batch is followed by its mirrored one."""
    with Progress(what, len(numbers), "images") as progress:
        for batch in numbers.split(BATCH):
            pixels = from_rgb(reader.images(batch.tolist()).double() / 127.5 - 1, colour)
            yield patchify(pixels, patch_size)
            if flip:
                yield patchify(pixels.flip(3), patch_size)
            progress.advance(len(batch))


def coefficients(
    reader: ShardReader, basis: Float[Tensor, "D D"], patch_size: int, colour: Colour, config: Config, what: str
) -> Coefficients:
    """The coefficients of the images that bases see: of large ones, as many as make `NUMBERS`, the first."""
    numbers = chosen(reader, config)[: max(1, NUMBERS // (3 * reader.image_size**2 * (1 + config.flip)))]
    blocks = [
        (batch @ basis).float() for batch in patches(reader, numbers, patch_size, colour, flip=config.flip, what=what)
    ]
    values = torch.cat(blocks[::2] + blocks[1::2] if config.flip else blocks)
    side = reader.image_size // patch_size
    return Coefficients(values, reader.labels[numbers].repeat(1 + config.flip), (side, side), len(numbers))
