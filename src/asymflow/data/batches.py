"""The order in which training sees its images, and the images themselves, resumable at any position."""

from collections.abc import Iterator

import torch
from jaxtyping import Int, UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from asymflow.data.encoded import EncodedReader
from asymflow.data.reader import ShardReader, load_all
from asymflow.randomness import generator

MEMORY_BYTES = 2 << 30  # a set whose pixels fit in this is decoded once and kept; larger ones are decoded as they come


def order(count: int, seed: int, epoch: int) -> Int[Tensor, "count"]:
    """The permutation of one epoch, a function of (seed, epoch) alone."""
    return torch.from_numpy(generator(seed, epoch).permutation(count))


def indices(count: int, seed: int, start: int, stop: int) -> Int[Tensor, "length"]:
    """The images at positions start .. stop - 1 of the endless sequence of shuffled epochs."""
    epochs = range(start // count, -(-stop // count))
    sequence = torch.cat([order(count, seed, epoch) for epoch in epochs])
    return sequence[start - epochs[0] * count : stop - epochs[0] * count]


class Batches(Dataset):
    """A training run's batches: item i is what update i of one process sees.

    With several processes each takes an equal, contiguous share of every batch, so that together they see what a single
    process would.
    """

    def __init__(self, reader: ShardReader, *, images: int, batch: int, seed: int, rank: int, world_size: int):
        if batch % world_size:
            raise ValueError(f"a batch of {batch} images cannot be shared equally by {world_size} processes")
        self.reader, self.images, self.batch, self.seed = reader, images, batch, seed
        self.rank, self.share = rank, batch // world_size
        c, h, w = reader[0][0].shape
        self.memory = load_all(reader) if len(reader) * c * h * w <= MEMORY_BYTES else None
        self.labels = reader.labels

    def __len__(self) -> int:
        return self.images // self.batch

    def chosen(self, update: int) -> Int[Tensor, "b"]:
        """The numbers of the images of an update."""
        start = update * self.batch + self.rank * self.share
        return indices(len(self.reader), self.seed, start, start + self.share)

    def pictures(self, chosen: Int[Tensor, "b"]) -> UInt8[Tensor, "b c h w"]:
        """The images with the given numbers."""
        return self.reader.images(chosen.tolist()) if self.memory is None else self.memory[chosen]

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
    """The same with latent and text tokens in place of labels: item i is (images, latents, text)."""

    def __init__(self, reader: ShardReader, encoded: EncodedReader, **options: int):
        super().__init__(reader, **options)
        if len(encoded) != len(reader):
            raise ValueError(
                f"{reader.path} has {len(reader)} images, but {len(encoded)} of them are encoded; run stage encode again"
            )
        self.encoded = encoded

    def __getitem__(self, update: int) -> tuple[Tensor, ...]:
        chosen = self.chosen(update)
        return self.pictures(chosen), *self.encoded.read(chosen.tolist())
