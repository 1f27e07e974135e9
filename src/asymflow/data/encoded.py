"""What text-to-image models see of a split in place of its images and captions: latent tokens and text tokens, in shards.

An index (JSON) lists safetensors files beside it, each with `latents` (m, n, d) and `text` (m, l, e) of consecutive images of
one shape, whose latent tokens lie in a `grid` of [rows, columns].

Letters in shapes: m images, n latent tokens of d numbers, l text tokens of e channels.
"""

import json
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor

from asymflow import tensors
from asymflow.files import atomic

EMPTY = "empty.safetensors"  # beside the index: the tokens of the empty caption


def write(
    index: Path,
    batches: Iterable[tuple[Float[Tensor, "_m _n d"], Float[Tensor, "_m l e"], tuple[int, int]]],
    empty: Float[Tensor, "l e"],
    description: dict[str, Any],
) -> None:
    """Writes one shard for each batch (latents, text, grid), half precision for latents and bfloat16 for text; the index last."""
    shards = []
    for number, (latents, text, grid) in enumerate(batches):
        name = f"{index.stem}-{number:05d}.safetensors"
        tensors.save(index.parent / name, {"latents": latents.half(), "text": text.bfloat16()}, {"kind": "encoded"})
        shards.append({"file": name, "count": len(latents), "grid": grid})
        shape = {"token": latents.shape[2], "text": text.shape[2]}
    tensors.save(index.parent / EMPTY, {"text": empty.bfloat16()}, {"kind": "encoded"})
    with atomic(index) as temporary:
        temporary.write_text(json.dumps(description | shape | {"shards": shards}, indent=1))


class EncodedReader:
    """Latent and text tokens of a split, by image number. Files are opened for every read, so it can go to other processes."""

    def __init__(self, index: Path):
        told = json.loads(index.read_text())
        self.folder, self.files = index.parent, [shard["file"] for shard in told["shards"]]
        self.ends = list(accumulate(shard["count"] for shard in told["shards"]))
        self._grids = [tuple(shard["grid"]) for shard in told["shards"]]
        self.token: int = told["token"]  # numbers of a latent token
        self.text: int = told["text"]  # channels of a text token

    def __len__(self) -> int:
        return self.ends[-1]

    @property
    def empty(self) -> Float[Tensor, "l e"]:
        """The text tokens of the empty caption."""
        return tensors.load(self.folder / EMPTY)["text"].float()

    def grids(self, numbers: range) -> set[tuple[int, int]]:
        """The grids, rows and columns, in which the latent tokens of these images lie."""
        first, last = (bisect_right(self.ends, i) for i in (numbers[0], numbers[-1]))
        return set(self._grids[first : last + 1])

    def read(self, indices: Sequence[int]) -> tuple[Float[Tensor, "m n d"], Float[Tensor, "m l e"]]:
        """The tokens of the images with the given numbers, all of one grid, in this order, in float32."""
        found = []
        for i in indices:
            shard = bisect_right(self.ends, i)
            row = i - (self.ends[shard - 1] if shard else 0)
            with safe_open(self.folder / self.files[shard], framework="pt") as file:
                found.append([file.get_slice(name)[row : row + 1] for name in ("latents", "text")])
        latents, text = (torch.cat(parts).float() for parts in zip(*found, strict=True))
        return latents, text
