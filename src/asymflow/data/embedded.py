"""Embeddings of a split's captions and images, computed once: what arms of prx-tg are conditioned on, image by image.

    train.json                index: counts and shapes
    train-00000.safetensors   text (m, l, e), mask (m, l), cls (m, g), patches (m, n, q), face (m, n)

Letters in shapes: m images, l text tokens, e their channels, g channels of the image embedding, n patch tokens, q their channels.
"""

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from safetensors import safe_open
from torch import Tensor

from asymflow import tensors
from asymflow.data.batches import Batches, indices
from asymflow.data.reader import ShardReader
from asymflow.files import atomic, sha256

MEMORY_BYTES = 2 << 30  # embeddings that fit into this are read once and kept


@dataclass(frozen=True)
class Embedded:
    """What is known about some images."""

    text: Float[Tensor, "m l e"]
    mask: Bool[Tensor, "m l"]  # which text tokens are the caption's, not padding
    cls: Float[Tensor, "m g"]
    patches: Float[Tensor, "m n q"]
    face: Float[Tensor, "m _f"]  # share of each patch that is face; not a number where the set has no masks

    def values(self) -> tuple[Tensor, ...]:
        """All of it, in this order."""
        return tuple(getattr(self, name) for name in FIELDS)

    def at(self, rows: Int[Tensor, "r"]) -> "Embedded":
        """The same of some of the images."""
        return Embedded(*(values[rows] for values in self.values()))

    def stored(self) -> dict[str, Tensor]:
        """By name as files hold it: tokens in bfloat16, half of the room."""
        return {name: _to(values, torch.bfloat16) for name, values in zip(FIELDS, self.values(), strict=True)}

    def float(self) -> "Embedded":
        """In float32, as networks take it."""
        return Embedded(*(_to(values, torch.float32) for values in self.values()))

    def to(self, device: torch.device) -> "Embedded":
        """On a device."""
        return Embedded(*(values.to(device) for values in self.values()))


def _to(values: Tensor, dtype: torch.dtype) -> Tensor:
    return values.to(dtype) if values.is_floating_point() else values


FIELDS = tuple(field.name for field in fields(Embedded))


def concatenated(parts: Iterable[Embedded]) -> Embedded:
    """The images of all parts."""
    return Embedded(*map(torch.cat, zip(*(part.values() for part in parts), strict=True)))


def write(index: Path, parts: Iterator[Embedded], description: dict[str, Any]) -> None:
    """Writes shards as they come, then the index that names them."""
    shards, shape = [], {}
    for number, part in enumerate(parts):
        name = f"{index.stem}-{number:05d}.safetensors"
        tensors.save(index.parent / name, part.stored(), {"kind": "embedded"})
        shards.append({"file": name, "count": len(part.text), "sha256": sha256(index.parent / name)})
        shape = {
            "text": part.text.shape[2],
            "text_tokens": part.text.shape[1],
            "cls": part.cls.shape[1],
            "patches": part.patches.shape[2],
            "patch_tokens": part.patches.shape[1],
        }
    with atomic(index) as temporary:
        temporary.write_text(json.dumps(description | shape | {"shards": shards}, indent=1))


class EmbeddedReader:
    """The embeddings of a split, by image number; kept in memory where they fit."""

    def __init__(self, index: Path):
        told = json.loads(index.read_text())
        self.path, self.files = index, [index.parent / shard["file"] for shard in told["shards"]]
        self.ends = list(accumulate(shard["count"] for shard in told["shards"]))
        self.text: int = told["text"]  # channels of a text token
        self.text_tokens: int = told["text_tokens"]
        self.cls: int = told["cls"]  # channels of the image embedding
        self.patches: int = told["patches"]  # channels of a patch token
        self.patch_tokens: int = told["patch_tokens"]
        small = sum(file.stat().st_size for file in self.files) <= MEMORY_BYTES
        self.memory = concatenated(map(_whole, self.files)) if small else None

    def __len__(self) -> int:
        return self.ends[-1]

    def read(self, numbers: Sequence[int]) -> Embedded:
        """The embeddings of the images with the given numbers, in this order, in float32."""
        whole = self.memory
        found = concatenated(map(self._row, numbers)) if whole is None else whole.at(torch.as_tensor(numbers))
        return found.float()

    def _row(self, i: int) -> Embedded:
        shard = bisect_right(self.ends, i)
        row = i - (self.ends[shard - 1] if shard else 0)
        file = _opened(self.files[shard])
        return Embedded(*(file.get_slice(name)[row : row + 1] for name in FIELDS))


def _whole(path: Path) -> Embedded:
    found = tensors.load(path)
    return Embedded(*(found[name] for name in FIELDS))


@cache
def _opened(path: Path):
    return safe_open(path, framework="pt")  # mapped into memory; each process opens its own


class EmbeddedBatches(Batches):
    """Training batches with embeddings in place of labels: item i is (images, *embeddings, images seen before).

    `set_images` limits the set to its first images.
    """

    def __init__(self, reader: ShardReader, embedded: EmbeddedReader, set_images: int | None, **options: int):
        super().__init__(reader, **options)
        if len(embedded) != len(reader):
            raise ValueError(
                f"{reader.path} has {len(reader)} images, but {len(embedded)} of them are embedded; run stage embed again"
            )
        if set_images and set_images > len(reader):
            raise ValueError(
                f"training.set_images is {set_images}, but {reader.path} has {len(reader)} images; lower it, or raise data.train"
            )
        self.embedded, self.count = embedded, set_images or len(reader)

    def __getitem__(self, update: int) -> tuple[Tensor, ...]:
        chosen = self.chosen(update)
        return self.pictures(chosen), *self.embedded.read(chosen.tolist()).values(), torch.tensor(update * self.batch)

    def chosen(self, update: int) -> Int[Tensor, "b"]:
        start = update * self.batch + self.rank * self.share
        return indices(self.count, self.seed, start, start + self.share)
