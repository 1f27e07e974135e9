"""Images in a folder: one subfolder per class, captions beside the images.

The class is the first subfolder below the root, however deep the image lies in it; images in the root itself form one
class named after the root. A caption is the text file with the image's name (`cat/3.txt` for `cat/3.jpg`), else what a
`.jsonl` file in any folder says with {"file": path from that folder, "caption": ..., "attributes": {...}}, else "a
photo of a {class}". Hidden files are left alone; every other file that is not an image is a reject.
"""

import json
import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from asymflow.data.images import SUFFIXES, load
from asymflow.data.records import Listing, Record, Reject, class_list, dealt, default_caption, printable, unique


@dataclass(frozen=True, slots=True)
class FilePicture:
    """An image file."""

    path: str

    def open(self) -> Image.Image:
        with open(self.path, "rb") as file:
            return load(file)


@dataclass
class Contents:
    """The files of a folder by kind, as paths relative to it, and what their captions say."""

    images: list[Path] = field(default_factory=list)
    texts: dict[Path, Path] = field(default_factory=dict)  # image path without suffix -> text file
    tables: list[Path] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


def list_folder(path: str, seed: int) -> Listing:
    """All images below a folder. Raises ValueError when it does not exist or has none."""
    root = Path(path)
    if not root.is_dir():
        raise ValueError(f"data.path {path!r} is not a folder (looked in {Path.cwd()})")
    contents = _scan(root)
    if not contents.images:
        reason = f"none of its {len(contents.rejects)} files is an image" if contents.rejects else "it is empty"
        raise ValueError(f"folder {path!r} has no images: {reason}; expected one subfolder of images per class")
    rejects = contents.rejects
    captions = dict(_table_captions(root, contents, rejects))
    records, duplicates = unique(_records(root, contents, captions, rejects))
    rejects += duplicates + list(_empty_classes(root, contents))
    return Listing(class_list(record.class_name for record in records), dealt(records, seed), rejects)


def _scan(root: Path) -> Contents:
    contents, seen = Contents(), set()
    for folder, subfolders, files in os.walk(root, onerror=_unreadable, followlinks=True):
        if (real := os.path.realpath(folder)) in seen:
            raise ValueError(f"folder {folder!r} is a link to one that is read already; remove the link")
        seen.add(real)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(name for name in files if not name.startswith(".")):
            _sort_in(contents, Path(folder, name).relative_to(root))
    return contents


def _unreadable(error: OSError) -> None:
    raise ValueError(f"folder {error.filename!r} cannot be read: {error.strerror}") from error


def _sort_in(contents: Contents, path: Path) -> None:
    suffix = path.suffix.lower()
    if printable(str(path)) != str(path):
        contents.rejects.append(Reject(printable(str(path)), "its name is not valid UTF-8"))
    elif suffix in SUFFIXES:
        contents.images.append(path)
    elif suffix == ".txt":
        contents.texts[path.with_suffix("")] = path
    elif suffix == ".jsonl":
        contents.tables.append(path)
    else:
        contents.rejects.append(
            Reject(str(path), "is not an image: its name ends in none of " + " ".join(sorted(SUFFIXES)))
        )


def _records(root: Path, contents: Contents, captions: dict[Path, dict], rejects: list[Reject]) -> Iterator[Record]:
    for path in contents.images:
        class_name = path.parts[0] if len(path.parts) > 1 else root.resolve().name
        entry = captions.get(path, {})
        caption = entry.get("caption")
        if text := contents.texts.get(path.with_suffix("")):
            try:
                caption = (root / text).read_text(encoding="utf-8").strip()
            except UnicodeDecodeError:
                rejects.append(Reject(str(text), "its caption is not valid UTF-8, so the image is left out"))
                continue
        # macOS stores accents in another form of Unicode than Linux; the split must not depend on that.
        key = unicodedata.normalize("NFC", path.with_suffix("").as_posix())
        picture = FilePicture(str(root / path))
        caption = caption or default_caption(class_name)  # an empty caption counts as none
        yield Record(key, picture, class_name, caption, entry.get("attributes", {}), path.as_posix())


def _table_captions(root: Path, contents: Contents, rejects: list[Reject]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The entries of all JSONL files by image; lines that cannot be used are rejects."""
    images, described = set(contents.images), {}
    for table in contents.tables:
        for number, line in enumerate((root / table).read_bytes().splitlines(), start=1):
            if not line.strip():
                continue
            place = f"{table}:{number}"
            try:
                entry = json.loads(line)
                image, wrong = table.parent / Path(entry["file"]), _wrong_entry(entry)
            except (ValueError, KeyError, TypeError, RecursionError):
                rejects.append(Reject(place, 'expected one object per line, {"file": "cat/1.jpg", "caption": "a cat"}'))
                continue
            if image not in images:
                wrong = (
                    f"names {entry['file']!r}, which is not an image here (paths start at the JSONL file's own folder)"
                )
            elif image in described:
                wrong = f"names {entry['file']!r} again, after {described[image]}"
            if wrong:
                rejects.append(Reject(place, wrong))
                continue
            described[image] = place
            yield image, entry


def _wrong_entry(entry: dict[str, Any]) -> str | None:
    if not isinstance(entry.get("caption"), str):
        return "has no caption, or one that is not text"
    return None if isinstance(entry.get("attributes", {}), dict) else "has attributes that are not an object"


def _empty_classes(root: Path, contents: Contents) -> Iterator[Reject]:
    used = {path.parts[0] for path in contents.images}
    for folder in sorted(root.iterdir()):
        if folder.is_dir() and not folder.name.startswith(".") and folder.name not in used:
            yield Reject(printable(folder.name), "is a class folder without any image")
