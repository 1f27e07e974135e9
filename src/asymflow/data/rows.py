"""Named tensors for every image of a split, or for every caption of a list, computed once and kept in shards.

    train.json                  index: what is stored, how many rows, what is shared by all
    train/00000.safetensors     the tensors of some rows, each with a row for an image
    train/shared.safetensors    those that are the same for all rows, where there are some

What a row holds is the business of who writes it: text tokens of a caption, the embedding of an image, its latents. Rows of one
shard have the same shapes; a shard says the grid in which its latent tokens lie, where it has some.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
import xxhash
from safetensors import safe_open
from torch import Tensor

from asymflow import documents, tensors

DIGITS = 8  # hexadecimal ones, of the checksum of a row
MEMORY_BYTES = 2 << 30  # what fits into this is read once and kept

Rows = Mapping[str, Tensor]  # by name, all with as many rows


def write(
    index: Path,
    parts: Iterable[Rows],
    description: dict[str, Any],
    shared: Rows | None = None,
    grids: Sequence[Any] = (),
) -> None:
    """Writes shards as they come, then the index that names them. Floating point is kept in bfloat16, latents in float16.

    `shared` is the same for all rows; `grids` has one for each part where the parts differ in theirs.
    """
    shards, shapes, common = [], {}, None
    for number, part in enumerate(parts):
        name = f"{index.stem}/{number:05d}.safetensors"
        rows = stored(part)
        sums = "".join(
            _sum({key: values[i] for key, values in rows.items()}) for i in range(len(next(iter(rows.values()))))
        )
        shapes = {key: list(values.shape[1:]) for key, values in part.items()}
        shard = {"file": name, "count": len(sums) // DIGITS, "rows": sums}
        shard["checksum"] = tensors.save(index.parent / name, "rows", rows, {"number": number})
        shards.append(shard | ({"grid": list(grids[number])} if grids else {}))
    if shared:
        common = tensors.save(_shared(index), "rows", stored(shared), {"number": "shared"})
    documents.write(index, "rows", description | {"shapes": shapes, "shared": common, "shards": shards})


def concatenated(parts: Iterable[Rows]) -> Rows:
    """The rows of all parts."""
    listed = list(parts)
    return {name: torch.cat([part[name] for part in listed]) for name in listed[0]}


@runtime_checkable
class RowSource(Protocol):
    """What gives rows by number: a `RowReader`, or what works them out when they are read."""

    path: Path
    description: dict[str, Any]  # what its index says
    shapes: dict[str, tuple[int, ...]]  # of a row
    shared: dict[str, Tensor]  # the same for all rows

    def __len__(self) -> int: ...

    def read(self, numbers: Sequence[int]) -> dict[str, Tensor]: ...


class RowReader:
    """Rows by number; kept in memory where they fit."""

    def __init__(self, index: Path):
        description = documents.read(index, "rows")
        self.description: dict[str, Any] = description  # what the index says, with what its writer described
        self.path, self.files = index, [index.parent / shard["file"] for shard in description["shards"]]
        self._sums = [shard["rows"] for shard in description["shards"]]
        for file, shard in zip(self.files, description["shards"], strict=True):
            _belongs(file, shard["checksum"], index)
        self.ends = list(accumulate(shard["count"] for shard in description["shards"]))
        self.shapes: dict[str, tuple[int, ...]] = {name: tuple(shape) for name, shape in description["shapes"].items()}
        self.shared: dict[str, Tensor] = {}
        if description["shared"]:
            _belongs(_shared(index), description["shared"], index)
            self.shared = floats(tensors.load(_shared(index), "rows"))
        self._grids = [tuple(shard["grid"]) for shard in description["shards"] if "grid" in shard]
        small = sum(file.stat().st_size for file in self.files) <= MEMORY_BYTES
        self._memory = None
        if small and len(set(self._grids)) <= 1:
            self._memory = concatenated(tensors.load(file, "rows") for file in self.files)

    def __len__(self) -> int:
        return self.ends[-1]

    def grids(self, numbers: range) -> set[tuple[int, int]]:
        """The grids, rows and columns, in which the latent tokens of these images lie."""
        first, last = (bisect_right(self.ends, i) for i in (numbers[0], numbers[-1]))
        return set(self._grids[first : last + 1])

    def read(self, numbers: Sequence[int]) -> dict[str, Tensor]:
        """The rows with the given numbers, in this order, all of the same shapes, floating point as float32."""
        if self._memory is not None:
            chosen = torch.as_tensor(numbers)
            return floats({name: values[chosen] for name, values in self._memory.items()})
        return floats(concatenated(self._row(i) for i in numbers))

    def _row(self, i: int) -> Rows:
        shard = bisect_right(self.ends, i)
        row = i - (self.ends[shard - 1] if shard else 0)
        file = _opened(self.files[shard])
        values = {name: file.get_slice(name)[row : row + 1] for name in self.shapes}
        if (
            _sum({name: value[0] for name, value in values.items()})
            != self._sums[shard][DIGITS * row : DIGITS * (row + 1)]
        ):
            raise ValueError(
                f"{self.files[shard]} is damaged (row {row}); delete {self.path} and give the same command again"
            )
        return values


def floats(rows: Rows) -> dict[str, Tensor]:
    """The same with floating point as float32, as networks take it."""
    return {name: values.float() if values.is_floating_point() else values for name, values in rows.items()}


def stored(rows: Rows) -> dict[str, Tensor]:
    """The same as files hold it: floating point in bfloat16, half of the room; latents, which have no large values, in
    float16."""
    kinds = {name: torch.float16 if name == "latents" else torch.bfloat16 for name in rows}
    return {name: v.to(kinds[name]) if v.is_floating_point() else v for name, v in rows.items()}


def _shared(index: Path) -> Path:
    return index.with_suffix("") / "shared.safetensors"


def _sum(row: Rows) -> str:
    """The checksum of one row."""
    hasher = xxhash.xxh32()
    for name in sorted(row):
        hasher.update(row[name].contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return hasher.hexdigest()


def _belongs(file: Path, checksum: str, index: Path) -> None:
    """Raises ValueError unless a file is the one that the index lists."""
    if not file.is_file():
        raise ValueError(f"{index} lists {file}, which is not there; delete {index} and give the same command again")
    if tensors.describe(file, "rows")["checksum"] != checksum:
        raise ValueError(f"{file} is not the file that {index} lists; delete {index} and give the same command again")


@cache
def _opened(path: Path):
    return safe_open(path, framework="pt")  # mapped into memory; each process opens its own
