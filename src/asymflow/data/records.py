"""What a source hands over: one record per image, not opened yet, and what it could not use, with the reason."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from PIL import Image


@runtime_checkable
class Picture(Protocol):
    """Where an image can be got: small, and good for sending to another process, where it is opened."""

    def open(self) -> Image.Image:
        """The image in whatever mode and size it has."""


@dataclass(frozen=True, slots=True)
class Record:
    """One image that a source offers."""

    key: str  # unique within its source, and the same on every machine
    picture: Picture
    class_name: str
    caption: str
    attributes: dict[str, Any]
    source: str  # where it came from, for people: a path within the source
    named: tuple[str, ...] = ()  # attributes that the caption puts into words, where that is known


@dataclass(frozen=True, slots=True)
class Reject:
    """Something that cannot be used, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """All that a source has: names of the classes (label = position), records in dealing order, rejects."""

    classes: list[str]
    records: list[Record]
    rejects: list[Reject]
    notes: list[str] = field(default_factory=list)  # what else was seen there, for the log
    remote: bool = False  # whether images are read from a server when they are opened


def default_caption(class_name: str) -> str:
    """The caption of an image that comes without one."""
    return f"a photo of a {class_name}"


def printable(path: str) -> str:
    """The path with bytes that are not UTF-8 written out, so that any file name can be shown and stored."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def unique(records: Iterable[Record]) -> tuple[list[Record], list[Reject]]:
    """One record for each key, the first by `source` in alphabetical order, and a reject for each other."""
    kept: dict[str, Record] = {}
    rejects = []
    for record in sorted(records, key=lambda record: record.source):
        first = kept.setdefault(record.key, record)
        if first is not record:
            rejects.append(Reject(record.source, f"has the same key, {record.key!r}, as {first.source}, which is kept"))
    return list(kept.values()), rejects


def dealt(records: Iterable[Record], seed: int) -> list[Record]:
    """The records in the order in which splits take them: by a hash of (seed, key), so whatever order they come in."""

    def rank(record: Record) -> tuple[bytes, str]:
        return hashlib.blake2b(f"{seed}/{record.key}".encode(), digest_size=16).digest(), record.key

    return sorted(records, key=rank)


def class_list(names: Iterable[str]) -> list[str]:
    """The distinct class names in order: numbers by value when all are numbers, else the alphabet."""
    distinct = sorted(set(names))
    return sorted(distinct, key=int) if all(name.isdecimal() for name in distinct) else distinct
