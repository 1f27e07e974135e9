"""Reading our own shards: any image by its number, through the index of its split.

Only PNG and JSON are decoded, and only files that the index lists below its own folder are opened. A reader holds
offsets, no open files, so it can be copied into worker processes.
"""

import io
import json
import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Int, UInt8
from PIL import Image
from torch import Tensor

from asymflow import documents
from asymflow.data import table
from asymflow.data.tars import member_sum, read_at


class Bucket(NamedTuple):
    """Images of one shape, whose numbers follow one another."""

    numbers: range
    shape: tuple[int, int]  # height and width


class ShardReader:
    """The images of one split, by number: `reader[i]` is (image, label).

    Raises ValueError when the file is not the index of the split that it is named after, its table is damaged, or a shard is
    missing or cut. What lies in a shard is checked sample by sample, as they are read.
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
        self._shards = [_shard(self.path, shard) for shard in description["shards"]]
        self._table = table.load(self.path, description["table"], description["count"])

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, i: int) -> tuple[UInt8[Tensor, "3 h w"], int]:
        return self.images([i])[0], int(self.labels[i])

    def record(self, i: int) -> dict[str, Any]:
        """What is known about an image: label, class, caption, attributes, source."""
        return self._records([i])[0]

    @cached_property
    def labels(self) -> Int[Tensor, "n"]:
        """The class of every image as an index into `classes`, int64. Raises ValueError if the index counts others."""
        labels = self._table["label"].astype(np.int64)
        if np.bincount(labels, minlength=len(self.classes)).tolist() != self.class_counts:
            raise ValueError(f"the classes of {self.path} have other counts than it says; run stage shard again")
        return torch.from_numpy(labels)

    @cached_property
    def captions(self) -> list[str]:
        """The caption of every image."""
        return [record["caption"] for record in self._records(range(len(self)))]

    @cached_property
    def buckets(self) -> list[Bucket]:
        """The images by shape, in the order of their numbers; a single bucket where all are squares."""
        height, width = self._table["height"], self._table["width"]
        return [Bucket(run, (int(height[run.start]), int(width[run.start]))) for run in table.runs(height, width)]

    @cached_property
    def shards(self) -> list[range]:
        """The images of each shard, by number."""
        return list(table.runs(self._table["shard"]))

    def expect(self, indices: Sequence[int]) -> None:
        """Asks the system to read ahead the shards that these images lie in, one after another, where it can be asked."""
        for shard in np.unique(self._table["shard"][list(indices)]).tolist() if hasattr(os, "posix_fadvise") else ():
            with open(self._shards[shard], "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)

    def images(self, indices: Sequence[int]) -> UInt8[Tensor, "b 3 h w"]:
        """The images with the given numbers, in this order, 0 to 255, as squares of `image_size`.

        An image of another shape gives its central square, resized with a bicubic filter if need be.
        """
        return self._pixels(indices, (self.image_size, self.image_size))

    def whole(self, indices: Sequence[int]) -> UInt8[Tensor, "b 3 h w"]:
        """The same in their own shape. Raises ValueError unless all have the same."""
        rows = self._table[list(indices)]
        shapes = set(zip(rows["height"].tolist(), rows["width"].tolist(), strict=True))
        if len(shapes) != 1:
            raise ValueError(
                f"{self.path}: images of the shapes {sorted(shapes)} make no batch; ask for some of a single bucket"
            )
        return self._pixels(indices, shapes.pop())

    def _pixels(self, indices: Sequence[int], shape: tuple[int, int]) -> UInt8[Tensor, "b 3 h w"]:
        rows = self._table[list(indices)]
        pixels = np.empty((len(rows), 3, *shape), dtype=np.uint8)
        for planes, row, png in zip(pixels, rows, self._contents(rows, "image"), strict=True):
            image, own = Image.open(io.BytesIO(png), formats=("PNG",)), (int(row["height"]), int(row["width"]))
            if image.mode != "RGB" or image.size != own[::-1]:
                raise ValueError(
                    f"{self._shards[row['shard']]}: the image at byte {row['image']} is {image.mode} {image.size}, not as"
                    " indexed"
                )
            planes[:] = np.asarray(image if own == shape else _square(image, shape[0])).transpose(2, 0, 1)
        return torch.from_numpy(pixels)

    def _records(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        return [json.loads(content) for content in self._contents(self._table[list(indices)], "description")]

    def _contents(self, rows: np.ndarray, what: Literal["image", "description"]) -> Iterator[bytes]:
        """The image or the description of each row, compared with its checksum; a shard stays open while the next are from it."""
        wanted = zip(*(rows[f"{what}{column}"].tolist() for column in ("", "_size", "_sum")), strict=True)
        for shard, places in groupby(zip(rows["shard"].tolist(), wanted, strict=True), key=itemgetter(0)):
            path = self._shards[shard]
            with open(path, "rb") as file:
                for _, (offset, size, expected) in places:
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


def _shard(index: Path, shard: dict[str, Any]) -> Path:
    """Where a shard lies. Raises ValueError unless it is there, as long as it was written."""
    name = PurePosixPath(shard["file"])
    if name.is_absolute() or ".." in name.parts:
        raise ValueError(f"{index} lists the shard {shard['file']!r}, which is not below the index's own folder")
    path = index.parent / name
    if not path.is_file():
        raise ValueError(f"{index} lists the shard {path}, which does not exist; run stage shard again")
    if (size := path.stat().st_size) != shard["size"]:
        raise ValueError(
            f"{path} has {size} bytes, but {index} says {shard['size']}: it is cut or another; run stage shard again"
        )
    return path


def _square(image: Image.Image, size: int) -> Image.Image:
    """The largest central square of an image, size x size pixels."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return square.resize((size, size), Image.Resampling.BICUBIC)
