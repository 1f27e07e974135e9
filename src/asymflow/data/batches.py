"""The images of a training, batch by batch, resumable at any position."""

import signal
from bisect import bisect_right
from collections.abc import Generator, Mapping, Sequence
from functools import cached_property, partial
from itertools import accumulate

import torch
from jaxtyping import Int, UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from asymflow.data import order
from asymflow.data.reader import Bucket, ShardReader
from asymflow.data.rows import RowReader
from asymflow.processes import ASKED_TO_STOP, cores

WORKERS = 16  # at most: each holds two batches in shared memory
MEMORY_BYTES = 2 << 30  # a set whose pixels fit in this is decoded once and kept; larger ones are decoded as they come

Batch = dict[str, Tensor]  # images, and label or stored rows by name, one of each for every image


class Batches(Dataset):
    """A training run's batches: item i is what update i of one process sees.

    With several processes each takes an equal, contiguous share of every batch, so that together they see what a single
    process would.

    All images of a batch are from one bucket. In an epoch a bucket has as many batches as its images fill, the last one
    rounded up; the images of these batches follow one another in the bucket's own endless sequence of shuffled epochs, so
    no image is ever seen twice more than another of its bucket. A single bucket is nothing but its sequence.

    `stored` has further rows for every image, `labelled` says whether a batch has its classes, `whole` whether images come in
    their own shapes instead of as squares, and `first` limits the set to its first images. With a `window`, images of so many
    shards are mixed at a time, and the next ones are read ahead. With `numbered`, a batch says which images it has.
    """

    def __init__(
        self,
        reader: ShardReader,
        *,
        images: int,
        batch: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        labelled: bool = False,
        whole: bool = False,
        first: int | None = None,
        stored: Mapping[str, RowReader] | None = None,
        window: int | None = None,
        numbered: bool = False,
    ):
        if batch % world_size:
            raise ValueError(f"a batch of {batch} images cannot be shared equally by {world_size} processes")
        self.reader, self.images, self.batch, self.seed = reader, images, batch, seed
        self.rank, self.share, self.whole, self.stored = rank, batch // world_size, whole, dict(stored or {})
        self.count = self._checked(first)
        self.buckets = self._buckets()
        self.batches = [-(-len(numbers) // batch) for numbers, _ in self.buckets]
        self.window, self._ahead, self.numbered = window, None, numbered
        self._orders: dict[int, tuple] = {}  # the last epoch's of each bucket
        pixels = sum(len(numbers) * height * width for numbers, (height, width) in self.buckets)
        # One thread decodes them, about 10 000 images of 64 x 64 pixels per second: PIL holds Python's lock while it does.
        self.memory = [self._read(numbers) for numbers, _ in self.buckets] if 3 * pixels <= MEMORY_BYTES else None
        self.labels = reader.labels if labelled else None

    def _checked(self, first: int | None) -> int:
        """How many images there are. Raises ValueError where there are fewer than are wanted, or rows for others."""
        for name, rows in self.stored.items():
            if len(rows) != len(self.reader):
                raise ValueError(
                    f"{self.reader.path} has {len(self.reader)} images, but {rows.path} has {len(rows)} rows of {name}; run the"
                    " stage again that made it"
                )
        if first and first > len(self.reader):
            raise ValueError(
                f"training.set_images is {first}, but {self.reader.path} has {len(self.reader)} images; lower it, or raise"
                " data.train"
            )
        return first or len(self.reader)

    def _buckets(self) -> list[Bucket]:
        """The images as they are drawn: by shape, or all together as squares."""
        if not self.whole:
            return [Bucket(range(self.count), (self.reader.image_size, self.reader.image_size))]
        cut = (Bucket(range(n.start, min(n.stop, self.count)), shape) for n, shape in self.reader.buckets)
        return [bucket for bucket in cut if bucket.numbers]

    def _read(self, numbers: Sequence[int]) -> UInt8[Tensor, "b c h w"]:
        return self.reader.whole(numbers) if self.whole else self.reader.images(numbers)

    def __len__(self) -> int:
        return self.images // self.batch

    def chosen(self, update: int) -> Int[Tensor, "b"]:
        """The numbers of the images of this process's share of an update, all of one bucket."""
        bucket, start = self._position(update)
        numbers = self.buckets[bucket].numbers
        return order.taken(partial(self._epoch, bucket), len(numbers), start, start + self.share)

    def _position(self, update: int) -> tuple[int, int]:
        """The bucket of an update, and where in its endless sequence this process's share of it begins."""
        bucket, earlier = order.turn(self.batches, self.seed, update)
        return bucket, earlier * self.batch + self.rank * self.share

    def _epoch(self, bucket: int, epoch: int) -> Int[Tensor, "count"]:
        """The images of a bucket in the order of an epoch."""
        return self._ordered(bucket, epoch)[0]

    def _ordered(self, bucket: int, epoch: int) -> tuple[Int[Tensor, "count"], list[int]]:
        """The same, and where its windows end. It is kept: of a million images it takes longer than a batch to read."""
        known, *ordered = self._orders.get(bucket, (None,))
        if known != epoch:
            numbers = self.buckets[bucket].numbers
            if self.window is None:
                windows = [numbers.start + order.permutation(len(numbers), self.seed, epoch)]
            else:
                windows = order.windows(self._shards[bucket], self.window, self.seed, epoch)
            ordered = torch.cat(windows), list(accumulate(map(len, windows)))
            self._orders[bucket] = epoch, *ordered
        return tuple(ordered)

    @cached_property
    def _shards(self) -> list[list[range]]:
        """The images of each shard, by bucket, as far as they are used."""
        return [
            [
                range(max(s.start, numbers.start), min(s.stop, numbers.stop))
                for s in self.reader.shards
                if _meet(s, numbers)
            ]
            for numbers, _ in self.buckets
        ]

    def _read_ahead(self, update: int) -> None:
        """Asks for the shards of the window after that of an update, once; an epoch's first window is not asked for ahead."""
        bucket, start = self._position(update)
        epoch, place = divmod(start, len(self.buckets[bucket].numbers))
        images, ends = self._ordered(bucket, epoch)
        current = bisect_right(ends, place)
        if (bucket, epoch, current) == self._ahead:
            return
        self._ahead = bucket, epoch, current
        if current + 1 < len(ends):
            self.reader.expect(images[ends[current] : ends[current + 1]].tolist())

    def pictures(self, chosen: Int[Tensor, "b"]) -> UInt8[Tensor, "b c h w"]:
        """The images with the given numbers, all of one bucket."""
        if self.memory is None:
            return self._read(chosen.tolist())
        (bucket,) = (i for i, (numbers, _) in enumerate(self.buckets) if int(chosen[0]) in numbers)
        return self.memory[bucket][chosen - self.buckets[bucket].numbers.start]

    def __getitem__(self, update: int) -> Batch:
        chosen = self.chosen(update)
        if self.window and self.memory is None:
            self._read_ahead(update)
        batch = {"images": self.pictures(chosen)}
        if self.labels is not None:
            batch["label"] = self.labels[chosen]
        for rows in self.stored.values():
            batch |= rows.read(chosen.tolist())
        return batch | ({"numbers": chosen} if self.numbered else {})

    def starting_at(self, update: int, workers: int | None = None) -> Generator[Batch]:
        """Batches from the given update on, decoded ahead by worker processes when the set is not in memory.

        `workers`: how many; None: one for each processor core of this process but its own. They end with the iterator, which has
        to be closed where an error may keep it alive.
        """
        remaining = range(update, len(self))
        if self.memory is not None:
            return (self[i] for i in remaining)
        loader = DataLoader(
            self,
            batch_size=None,
            sampler=remaining,
            num_workers=min(max(1, cores() - 1), WORKERS) if workers is None else workers,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_outlast,
        )
        return (batch for batch in loader)  # which can be closed


def _outlast(_: int) -> None:
    """Lets a worker leave the wish to stop, which comes to all processes of a group, to the training that it works for."""
    for number in ASKED_TO_STOP:
        signal.signal(number, signal.SIG_IGN)


def _meet(one: range, other: range) -> bool:
    return one.start < other.stop and other.start < one.stop
