"""Whether the images that a configuration points at have changed since they were read, told without opening them."""

import os
from collections.abc import Iterator

import xxhash

from asymflow.config.data import SCHEME, Data
from asymflow.data import fetch


def contents(data: Data) -> str:
    """Stands for names, sizes and times of all files that the source reads: another one, and the images are read again.

    Empty where there is nothing to look at: portraits, sets that torchvision keeps, and remote files.
    """
    if data.source not in ("folder", "webdataset"):
        return ""
    hasher = xxhash.xxh3_64()
    for line in sorted(_folder(data.path) if data.source == "folder" else _archives(data.path)):
        hasher.update(line)
    return hasher.hexdigest()


def _folder(path: str) -> Iterator[bytes]:
    waiting, seen = [path], set()
    while waiting:
        folder = waiting.pop()
        if (real := os.path.realpath(folder)) in seen or not os.path.isdir(folder):
            continue
        seen.add(real)
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    waiting.append(entry.path)
                else:
                    yield _line(os.path.relpath(entry.path, path), entry.stat() if os.path.exists(entry.path) else None)


def _archives(pattern: str) -> Iterator[bytes]:
    try:
        locations = fetch.expand(pattern)
    except ValueError:
        return  # stage shard says what is wrong
    for location in locations:
        if not SCHEME.match(location):
            yield _line(location, os.stat(location))


def _line(name: str, stat: os.stat_result | None) -> bytes:
    return f"{name}\0{stat and stat.st_size}\0{stat and stat.st_mtime_ns}\n".encode("utf-8", "surrogateescape")
