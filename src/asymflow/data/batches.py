"""The order in which training sees its images, and the images themselves, resumable at any position."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from asymflow.data.encoded import EncodedReader
from asymflow.data.reader import Bucket, ShardReader
from asymflow.randomness import generator

MEMORY_BYTES = 2 << 30  # a set whose pixels fit in this is decoded once and kept; larger ones are decoded as they come
TURNS = 1  # the random stream of the buckets' order; not 0, which numpy takes for no number at all


def order(count: int, seed: int, epoch: int) -> Int[Tensor, "count"]:
    """The permutation of one epoch, a function of (seed, epoch) alone."""
    return torch.from_numpy(generator(seed, epoch).permutation(count))


def indices(count: int, seed: int, start: int, stop: int) -> Int[Tensor, "length"]:
    """The images at positions start .. stop - 1 of the endless sequence of shuffled epochs."""
    epochs = range(start // count, -(-stop // count))
    sequence = torch.cat([order(count, seed, epoch) for epoch in epochs])
    return sequence[start - epochs[0] * count : stop - epochs[0] * count]


def turn(batches: Sequence[int], seed: int, update: int) -> tuple[int, int]:
    """The bucket that an update draws from, and how many earlier updates did.

    `batches` counts those of each bucket in an epoch; every epoch shuffles them anew, by (seed, epoch) alone.
    """
    epoch, place = divmod(update, sum(batches))
    turns = generator(seed, epoch, TURNS).permutation(np.repeat(np.arange(len(batches)), batches))
    bucket = int(turns[place])
    return bucket, epoch * batches[bucket] + int((turns[:place] == bucket).sum())


class Batches(Dataset):
    """A training run's batches: item i is what update i of one process sees.

    With several processes each takes an equal, contiguous share of every batch, so that together they see what a single
    process would.

    All images of a batch are from one bucket. In an epoch a bucket has as many batches as its images fill, the last one
    rounded up; the images of these batches follow one another in the bucket's own endless sequence of shuffled epochs, so
    no image is ever seen twice more than another of its bucket. A single bucket is nothing but its sequence.
    """

    def __init__(self, reader: ShardReader, *, images: int, batch: int, seed: int, rank: int, world_size: int):
        if batch % world_size:
            raise ValueError(f"a batch of {batch} images cannot be shared equally by {world_size} processes")
        self.reader, self.images, self.batch, self.seed = reader, images, batch, seed
        self.rank, self.share = rank, batch // world_size
        self.buckets = self._buckets()
        self.batches = [-(-len(numbers) // batch) for numbers, _ in self.buckets]
        pixels = sum(len(numbers) * height * width for numbers, (height, width) in self.buckets)
        # One thread decodes them, about 10 000 images of 64 x 64 pixels per second: PIL holds Python's lock while it does.
        self.memory = [self._read(numbers) for numbers, _ in self.buckets] if 3 * pixels <= MEMORY_BYTES else None
        self.labels = reader.labels

    def _buckets(self) -> list[Bucket]:
        """The images as they are drawn: here all together, as squares."""
        return [Bucket(range(len(self.reader)), (self.reader.image_size, self.reader.image_size))]

    def _read(self, numbers: Sequence[int]) -> UInt8[Tensor, "b c h w"]:
        return self.reader.images(numbers)

    def __len__(self) -> int:
        return self.images // self.batch

    def chosen(self, update: int) -> Int[Tensor, "b"]:
        """The numbers of the images of an update, all of one bucket."""
        bucket, earlier = turn(self.batches, self.seed, update)
        numbers, start = self.buckets[bucket].numbers, earlier * self.batch + self.rank * self.share
        return numbers.start + indices(len(numbers), self.seed, start, start + self.share)

    def pictures(self, chosen: Int[Tensor, "b"]) -> UInt8[Tensor, "b c h w"]:
        """The images with the given numbers, all of one bucket."""
        if self.memory is None:
            return self._read(chosen.tolist())
        (bucket,) = (i for i, (numbers, _) in enumerate(self.buckets) if int(chosen[0]) in numbers)
        return self.memory[bucket][chosen - self.buckets[bucket].numbers.start]

    def __getitem__(self, update: int) -> tuple[Tensor, ...]:
        chosen = self.chosen(update)
        return self.pictures(chosen), self.labels[chosen]

    def starting_at(self, update: int, workers: int) -> Iterator[tuple[Tensor, ...]]:
        """Batches from the given update on, decoded ahead by worker processes when the set is not in memory."""
        remaining = range(update, len(self))
        if self.memory is not None:
            return (self[i] for i in remaining)
        pinned = torch.cuda.is_available()
        return iter(DataLoader(self, batch_size=None, sampler=remaining, num_workers=workers, pin_memory=pinned))


class EncodedBatches(Batches):
    """The same of images in their own shapes, with tokens in place of labels: item i is (images, latents, text)."""

    def __init__(self, reader: ShardReader, encoded: EncodedReader, **options: int):
        super().__init__(reader, **options)
        if len(encoded) != len(reader):
            raise ValueError(
                f"{reader.path} has {len(reader)} images, but {len(encoded)} of them are encoded; run stage encode again"
            )
        self.encoded = encoded

    def _buckets(self) -> list[Bucket]:
        return self.reader.buckets

    def _read(self, numbers: Sequence[int]) -> UInt8[Tensor, "b c h w"]:
        return self.reader.whole(numbers)

    def __getitem__(self, update: int) -> tuple[Tensor, ...]:
        chosen = self.chosen(update)
        return self.pictures(chosen), *self.encoded.read(chosen.tolist())
