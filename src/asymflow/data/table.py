"""Where every sample of a split lies: one table beside its index, mapped into memory and not read.

    train.samples.npy     a row for each sample, in order: its shard, the bytes of its image and description there, their
                          checksums, its class, its shape

A million rows are 44 MB, which all processes of a machine share; an index in JSON with the same content would have to be parsed
by each of them.
"""

import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from asymflow.files import checksum, writing

ROW = np.dtype(
    [
        ("shard", "<u4"),
        ("image", "<u8"),  # offset of the PNG file within the shard
        ("image_size", "<u4"),  # bytes
        ("image_sum", "<u4"),
        ("description", "<u8"),  # offset of the JSON file
        ("description_size", "<u4"),
        ("description_sum", "<u4"),
        ("label", "<i4"),
        ("height", "<u2"),
        ("width", "<u2"),
    ]
)

PACKED = struct.Struct("<IQIIQIIiHH")  # the same


def path_of(index: Path) -> Path:
    """Where the table of an index lies."""
    return index.with_suffix(".samples.npy")


class Rows:
    """Rows as they come, of samples whose shards are counted from 0; 44 bytes for each."""

    def __init__(self):
        self._bytes = bytearray()

    def add(self, *values: int) -> None:
        """Appends a row: the values of the columns in order."""
        self._bytes += PACKED.pack(*values)

    def behind(self, shards: int) -> np.ndarray:
        """The rows, where so many other shards are listed before."""
        rows = np.frombuffer(bytes(self._bytes), dtype=ROW).copy()
        rows["shard"] += shards
        return rows


def save(index: Path, rows: np.ndarray) -> str:
    """Writes the table of an index, whole or not at all; gives its checksum."""
    path = path_of(index)
    with writing(path) as file:
        np.save(file, rows)
    return checksum(path)


def load(index: Path, expected: str, count: int) -> np.ndarray:
    """The table of an index, mapped. Raises ValueError unless it is the one that the index names, with so many rows."""
    path = path_of(index)
    remedy = f"delete {index} and give the same command again"
    if not path.is_file():
        raise ValueError(f"{index} names {path}, which is not there; {remedy}")
    if checksum(path) != expected:
        raise ValueError(f"{path} is damaged, or is not the table that {index} names; {remedy}")
    table = np.load(path, mmap_mode="r", allow_pickle=False)
    if table.dtype != ROW or len(table) != count:
        raise ValueError(
            f"{path} holds {len(table)} rows of {table.dtype}, but {index} counts {count} samples; {remedy}"
        )
    return table


def runs(*columns: np.ndarray) -> Iterator[range]:
    """The samples, by number, that follow one another with the same values in these columns."""
    changes = np.zeros(max(len(columns[0]) - 1, 0), dtype=bool)
    for column in columns:
        changes |= column[1:] != column[:-1]
    bounds = [0, *(np.flatnonzero(changes) + 1).tolist(), len(columns[0])]
    return (range(first, last) for first, last in pairwise(bounds) if first < last)
