"""The order in which training sees its images: a function of seed and position alone, so it can be taken up anywhere.

`permutation` mixes all images in every epoch. Where a random read is slow, as on a network, `windows` mix less and read one shard
after another: the shards in random order, and the images of so many shards at a time in random order.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from asymflow.randomness import generator

TURNS, SHARDS, WINDOW = (
    1,
    2,
    3,
)  # random streams beside that of `permutation`; not 0, which numpy takes for no number at all


def permutation(count: int, seed: int, epoch: int) -> Int[Tensor, "count"]:
    """The permutation of one epoch, a function of (seed, epoch) alone."""
    return torch.from_numpy(generator(seed, epoch).permutation(count))


def windows(shards: Sequence[range], size: int, seed: int, epoch: int) -> list[Int[Tensor, "_"]]:
    """The images of one epoch in windows of `size` shards, the last one perhaps of fewer; each image is in one of them."""
    shuffled = [shards[i] for i in generator(seed, epoch, SHARDS).permutation(len(shards)).tolist()]
    mixed = []
    for first in range(0, len(shuffled), size):
        images = np.concatenate([np.arange(shard.start, shard.stop) for shard in shuffled[first : first + size]])
        mixed.append(torch.from_numpy(generator(seed, epoch, WINDOW, first).permutation(images)))
    return mixed


def taken(epochs: Callable[[int], Int[Tensor, "_"]], count: int, start: int, stop: int) -> Int[Tensor, "length"]:
    """The images at positions start .. stop - 1 of the endless sequence of epochs, each of `count` images."""
    numbers = range(start // count, -(-stop // count))
    sequence = torch.cat([epochs(epoch) for epoch in numbers])
    return sequence[start - numbers[0] * count : stop - numbers[0] * count]


def turn(batches: Sequence[int], seed: int, update: int) -> tuple[int, int]:
    """The bucket that an update draws from, and how many earlier updates did.

    `batches` counts those of each bucket in an epoch; every epoch shuffles them anew, by (seed, epoch) alone.
    """
    epoch, place = divmod(update, sum(batches))
    turns = generator(seed, epoch, TURNS).permutation(np.repeat(np.arange(len(batches)), batches))
    bucket = int(turns[place])
    return bucket, epoch * batches[bucket] + int((turns[:place] == bucket).sum())
