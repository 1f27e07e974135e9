"""WebDataset tar files: what they offer, found without unpacking and without trusting them.

A sample is all the regular files of one tar with the same key: the path up to the first dot of the file name. It needs
one image (png, jpg, jpeg or webp). Class and caption come from `json` ("class", else "label"; "caption"), `cls` and
`txt`; other members are never looked into, pickles among them. Nothing is written under a name that an archive chose.
"""

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from io import IOBase
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image

from asymflow.data import fetch
from asymflow.data.images import load
from asymflow.data.records import Listing, Record, Reject, class_list, dealt, default_caption, printable, unique
from asymflow.data.remote import in_order, is_remote, part, short_name
from asymflow.data.tars import members, read_at

IMAGE_SUFFIXES = ("png", "jpg", "jpeg", "webp")
TEXT_SUFFIXES = ("json", "cls", "txt")
NO_CLASS = "scene"  # the one class of a set that has none


@dataclass(frozen=True, slots=True)
class MemberPicture:
    """An image inside a tar file."""

    tar: str  # path or URL
    offset: int
    size: int

    def open(self) -> Image.Image:
        if is_remote(self.tar):
            return load(io.BytesIO(part(self.tar, self.offset, self.size)))
        with open(self.tar, "rb") as file:
            return load(io.BytesIO(read_at(file, self.offset, self.size)))


@dataclass
class Sample:
    """The members of one key: the names of all, (name, offset, size) of the image, the content of each text."""

    members: list[str] = field(default_factory=list)
    image: tuple[str, int, int] | None = None
    texts: dict[str, bytes] = field(default_factory=dict)


class SampleError(ValueError):
    """A sample that cannot be used; the message is the reason."""


def list_archives(pattern: str, seed: int, scratch: Path, *, whole: bool) -> Listing:
    """All samples of the tar files that a pattern names. Copies of tar files, if there must be any, lie in the folder `scratch`.

    With `whole`, remote files are fetched before they are read. Raises ValueError when a file is missing, truncated or not a tar,
    and when there is no sample at all.
    """
    sharded: list[tuple[str, Record]] = []
    rejects, remote, locations = [], False, fetch.expand(pattern)
    for number, (location, shard) in enumerate(zip(locations, _shard_names(locations), strict=True)):
        tar = fetch.local(location, scratch, number, whole=whole)
        remote |= is_remote(tar)
        for entry in _read_shard(tar, shard):
            if isinstance(entry, Reject):
                rejects.append(entry)
            else:
                sharded.append((shard, entry))
    if not sharded:
        raise ValueError(
            f"data.path {pattern!r} has no usable sample" + "".join(f"; {r.path}: {r.reason}" for r in rejects[:3])
        )
    records, duplicates = unique(_with_shard(sharded))
    records, classless = _completed(records)
    classes, unusable = class_list(r.class_name for r in records), rejects + duplicates + classless
    return Listing(classes, dealt(records, seed), unusable, remote=remote)


def _shard_names(locations: list[str]) -> list[str]:
    """Each file's own name, behind its folders where that alone does not tell them apart: img2dataset numbers every set alike."""
    for depth in range(1, max(map(len, locations)) + 1):
        names = [short_name(location, depth) for location in locations]
        if len(set(names)) == len(set(locations)):
            break
    return names


def _with_shard(sharded: list[tuple[str, Record]]) -> list[Record]:
    """The records with their shard in the key, where keys start anew in each shard; else as they are."""
    shards: dict[str, set[str]] = {}
    for shard, record in sharded:
        shards.setdefault(record.key, set()).add(shard)
    if all(len(named) == 1 for named in shards.values()):
        return [record for _, record in sharded]
    return [replace(record, key=f"{shard}/{record.key}") for shard, record in sharded]


def _read_shard(tar: str, shard: str) -> list[Record | Reject]:
    if is_remote(tar):
        return in_order(tar, lambda file: list(_read(file, tar, shard)))
    with open(tar, "rb") as file:
        return list(_read(file, tar, shard))


def _read(file: IOBase, tar: str, shard: str) -> Iterator[Record | Reject]:
    samples: dict[str, Sample] = {}
    yield from _collect(file, shard, samples)
    for key, sample in samples.items():
        if sample.image is None:
            yield Reject(f"{shard}/{key}", f"has no image, only {', '.join(sample.members)}")
            continue
        name, offset, size = sample.image
        try:
            yield _record(key, sample.texts, MemberPicture(tar, offset, size), f"{shard}/{name}")
        except SampleError as error:
            yield Reject(f"{shard}/{name}", str(error))


def _collect(file: IOBase, shard: str, samples: dict[str, Sample]) -> Iterator[Reject]:
    """Sorts the members of a tar file into samples, their texts read in passing; yields those that belong to none."""
    for member in members(file, shard):
        path = f"{shard}/{printable(member.name)}"
        if member.isdir() or PurePosixPath(member.name).name.startswith("."):
            continue
        if reason := _unsafe(member):
            yield Reject(path, reason)
            continue
        parent, _, name = member.name.removeprefix("./").rpartition("/")
        stem, _, suffix = name.partition(".")
        sample = samples.setdefault(f"{parent}/{stem}" if parent else stem, Sample())
        sample.members.append(name)
        suffix = suffix.lower()
        if suffix in IMAGE_SUFFIXES:
            if sample.image is None:
                sample.image = (member.name, member.offset_data, member.size)
            else:
                yield Reject(path, f"has the same key as {shard}/{sample.image[0]}, which is kept")
        elif suffix in TEXT_SUFFIXES:
            if suffix in sample.texts:
                yield Reject(path, f"its key has another {suffix} already, which is kept")
            else:
                sample.texts[suffix] = read_at(file, member.offset_data, member.size)


def _unsafe(member: tarfile.TarInfo) -> str | None:
    """Why a member is not to be read, if so."""
    name = member.name
    if name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts or name[1:2] == ":":
        return "its name would lead out of the folder it is unpacked into"
    if not member.isreg() or member.issparse():
        return "is not a regular file but a link, a device or a sparse file"
    return None if printable(name) == name else "its name is not valid UTF-8"


def _record(key: str, texts: dict[str, bytes], picture: MemberPicture, source: str) -> Record:
    """The sample as a record; class and caption are empty where it has none."""
    metadata = _json(texts["json"]) if "json" in texts else {}
    text = {suffix: _text(content, suffix) for suffix, content in texts.items() if suffix != "json"}
    caption, attributes = text.get("txt") or metadata.get("caption") or "", metadata.get("attributes", {})
    if not isinstance(caption, str) or not isinstance(attributes, dict):
        raise SampleError("its json has a caption that is not text, or attributes that are not an object")
    return Record(key, picture, _class_name(metadata, text), caption, attributes, source)


def _json(content: bytes) -> dict[str, Any]:
    try:
        metadata = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SampleError(f"its json cannot be read: {error}") from error
    if not isinstance(metadata, dict):
        raise SampleError("its json is not an object")
    return metadata


def _text(content: bytes, suffix: str) -> str:
    try:
        return content.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise SampleError(f"its {suffix} is not valid UTF-8") from error


def _class_name(metadata: dict[str, Any], text: dict[str, str]) -> str:
    """The class, empty when there is none: a name, or a number as text."""
    named = [value for value in (metadata.get("class"), text.get("cls"), metadata.get("label")) if value is not None]
    if named and not isinstance(named[0], str | int):
        raise SampleError("its json has a class that is neither a name nor a number")
    return str(named[0]).strip() if named else ""


def _completed(records: list[Record]) -> tuple[list[Record], list[Reject]]:
    """The records with their class and a caption. Without any class all are in one; else those without are rejects."""
    if not any(record.class_name for record in records):
        records = [replace(record, class_name=NO_CLASS) for record in records]
    rejects = [Reject(record.source, "has no class, as others have") for record in records if not record.class_name]
    complete = [
        replace(record, caption=record.caption or default_caption(record.class_name))
        for record in records
        if record.class_name
    ]
    return complete, rejects
