"""Reading our own shards: any image by its number, through the index of its split.

Only PNG and JSON are decoded, and only files that the index lists below its own folder are opened. A reader holds
offsets, no open files, so it can be copied into worker processes.
"""

import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Int, UInt8
from PIL import Image
from torch import Tensor

from asymflow import documents
from asymflow.data.tars import DIGITS, member_sum, members, read_at


@dataclass(frozen=True, slots=True)
class Place:
    """Where one sample lies: (offset, size) of its image and of its description within a shard, and their checksums."""

    shard: Path
    image: tuple[int, int]
    description: tuple[int, int]
    shape: tuple[int, int]  # height and width of the image
    sums: tuple[str, str]  # of its description, of its image


class Bucket(NamedTuple):
    """Images of one shape, whose numbers follow one another."""

    numbers: range
    shape: tuple[int, int]  # height and width


class ShardReader:
    """The images of one split, by number: `reader[i]` is (image, label).

    Raises ValueError when the file is not the index of the split that it is named after, or a shard is missing, cut, or holds
    another number of samples than it should.
    """

    def __init__(self, index: Path | str):
        self.path = Path(index)
        description = _read_index(self.path)
        self.split: str = description["split"]
        self.source: str = description["source"]
        self.image_size: int = description["image_size"]  # pixels
        self.classes: list[str] = description["classes"]
        self.class_counts: list[int] = description["class_counts"]
        self.set: str = description["set"]  # names the data set: what was made from one is not used with another
        square = [self.image_size, self.image_size]
        self._places = [
            place for shard in description["shards"] for place in _places(self.path, {"shape": square} | shard)
        ]
        if len(self._places) != description["count"]:
            raise ValueError(
                f"{self.path}: its shards hold {len(self._places)} samples, but its count is {description['count']}"
            )

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, i: int) -> tuple[UInt8[Tensor, "3 h w"], int]:
        return self.images([i])[0], int(self.labels[i])

    def record(self, i: int) -> dict[str, Any]:
        """What is known about an image: label, class, caption, attributes, source."""
        return self._records([i])[0]

    @cached_property
    def labels(self) -> Int[Tensor, "n"]:
        """The class of every image as an index into `classes`, int64. Raises ValueError if the index counts others."""
        labels = [record["label"] for record in self._records(range(len(self)))]
        counts = Counter(labels)
        if [counts[label] for label in range(len(self.classes))] != self.class_counts or len(labels) != sum(
            self.class_counts
        ):
            raise ValueError(f"the classes of {self.path} have other counts than it says; run stage shard again")
        return torch.tensor(labels, dtype=torch.int64)

    @cached_property
    def captions(self) -> list[str]:
        """The caption of every image."""
        return [record["caption"] for record in self._records(range(len(self)))]

    @cached_property
    def buckets(self) -> list[Bucket]:
        """The images by shape, in the order of their numbers; a single bucket where all are squares."""
        buckets, start = [], 0
        for shape, places in groupby(place.shape for place in self._places):
            buckets.append(Bucket(range(start, start + sum(1 for _ in places)), shape))
            start = buckets[-1].numbers.stop
        return buckets

    def images(self, indices: Sequence[int]) -> UInt8[Tensor, "b 3 h w"]:
        """The images with the given numbers, in this order, 0 to 255, as squares of `image_size`.

        An image of another shape gives its central square, resized with a bicubic filter if need be.
        """
        return self._pixels(indices, (self.image_size, self.image_size))

    def whole(self, indices: Sequence[int]) -> UInt8[Tensor, "b 3 h w"]:
        """The same in their own shape. Raises ValueError unless all have the same."""
        shapes = {self._places[i].shape for i in indices}
        if len(shapes) != 1:
            raise ValueError(
                f"{self.path}: images of the shapes {sorted(shapes)} make no batch; ask for some of a single bucket"
            )
        return self._pixels(indices, shapes.pop())

    def _pixels(self, indices: Sequence[int], shape: tuple[int, int]) -> UInt8[Tensor, "b 3 h w"]:
        places = [self._places[i] for i in indices]
        pixels = np.empty((len(places), 3, *shape), dtype=np.uint8)
        contents = self._contents((p.shard, *p.image, p.sums[1]) for p in places)
        for planes, place, png in zip(pixels, places, contents, strict=True):
            image = Image.open(io.BytesIO(png), formats=("PNG",))
            if image.mode != "RGB" or image.size != place.shape[::-1]:
                raise ValueError(
                    f"{place.shard}: the image at byte {place.image[0]} is {image.mode} {image.size}, not as indexed"
                )
            planes[:] = np.asarray(image if place.shape == shape else _square(image, shape[0])).transpose(2, 0, 1)
        return torch.from_numpy(pixels)

    def _records(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        places = [self._places[i] for i in indices]
        return [json.loads(content) for content in self._contents((p.shard, *p.description, p.sums[0]) for p in places)]

    def _contents(self, wanted: Iterable[tuple[Path, int, int, str]]) -> Iterator[bytes]:
        """The bytes at each (file, offset, size), compared with their checksum; a file stays open while the next are from it."""
        for path, places in groupby(wanted, key=itemgetter(0)):
            with open(path, "rb") as file:
                for _, offset, size, expected in places:
                    content = read_at(file, offset, size)
                    if member_sum(content) != expected:
                        raise ValueError(
                            f"{path} is damaged, or is not the shard that {self.path} lists (byte {offset}); delete {self.path}"
                            " and give the same command again"
                        )
                    yield content


def parts(numbers: range, size: int) -> list[range]:
    """The numbers in parts of at most `size`."""
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


def _read_index(path: Path) -> dict[str, Any]:
    try:
        index = documents.read(path, "split")
    except OSError as error:
        raise ValueError(f"the index {path} cannot be read ({error.strerror}); stage shard writes it") from error
    if index["split"] != path.stem:
        raise ValueError(
            f"{path} is the index of the split {index['split']!r} under another name; delete it and give the same command"
            " again"
        )
    return index


def _places(index: Path, shard: dict[str, Any]) -> list[Place]:
    """The samples of one shard: each key must have exactly a .json and a .png."""
    name = PurePosixPath(shard["file"])
    if name.is_absolute() or ".." in name.parts:
        raise ValueError(f"{index} lists the shard {shard['file']!r}, which is not below the index's own folder")
    path = index.parent / name
    if not path.is_file():
        raise ValueError(f"{index} lists the shard {path}, which does not exist; run stage shard again")
    spans = {member.name: (member.offset_data, member.size) for member in members(path)}
    keys = sorted(name.removesuffix(".png") for name in spans if name.endswith(".png"))
    if len(keys) != shard["count"] or set(spans) != {f"{key}{suffix}" for key in keys for suffix in (".png", ".json")}:
        raise ValueError(
            f"{path} holds {len(keys)} images among {len(spans)} members, but {index} says {shard['count']} images with"
            " one JSON each; run stage shard again"
        )
    sums = [
        shard["samples"][i : i + DIGITS] for i in range(0, len(shard["samples"]), DIGITS)
    ]  # description, image, ...
    return [
        Place(path, spans[f"{key}.png"], spans[f"{key}.json"], tuple(shard["shape"]), (sums[2 * i], sums[2 * i + 1]))
        for i, key in enumerate(keys)
    ]


def _square(image: Image.Image, size: int) -> Image.Image:
    """The largest central square of an image, size x size pixels."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return square.resize((size, size), Image.Resampling.BICUBIC)
