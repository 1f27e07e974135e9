"""Images in a folder: one subfolder per class, captions beside the images.

The class is the first subfolder below the root, however deep the image lies in it; images in the root itself form one
class named after the root. A caption is the text file with the image's name (`cat/3.txt` or `cat/3.caption` for `cat/3.jpg`),
else what a `.jsonl` or `.csv` file in any folder says of it, else "a photo of a {class}". Such a table names an image by `file`,
or `file_name` as Hugging Face's ImageFolder does, a path from its own folder, and has a `caption`, or `text`; JSON may have
`attributes`. Text is UTF-8, with or without a byte order mark. Hidden files are left alone. So are files of other kinds, which
are counted: only what claims to be an image, or to describe one, can be a reject. An image in a format that is not read is one,
unless one that is read has its name (`3.jpg` beside `3.heic`), and so is a link that leads nowhere.
"""

import codecs
import csv
import io
import json
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from asymflow.data.images import FORMATS as READ
from asymflow.data.images import SUFFIXES, load
from asymflow.data.records import Listing, Record, Reject, class_list, dealt, default_caption, printable, unique

TEXTS = (".txt", ".caption")  # ends of the names of captions
# formats of photographs that are not read, and those of cameras
FORMATS = ", ".join(READ)
UNREAD = (".heic", ".heif", ".jp2", ".jxl", ".tga", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2")
LINES = {  # what a line of a table has to be
    ".jsonl": 'expected one object per line, {"file": "cat/1.jpg", "caption": "a cat"}',
    ".csv": 'expected UTF-8, as many fields as the first line has, and quotes around commas: cat/1.jpg,"a cat, asleep"',
}
SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing", "eval", "dev"}  # not classes


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
    unread: list[Path] = field(default_factory=list)  # images of formats that are not read
    rejects: list[Reject] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)  # files of other kinds, by the end of their name


def list_folder(path: str, seed: int) -> Listing:
    """All images below a folder. Raises ValueError when it does not exist or has none."""
    root = Path(path)
    if not root.is_dir():
        raise ValueError(f"data.path {path!r} is not a folder (looked in {Path.cwd()})")
    contents = _scan(root)
    contents.rejects += _unread(contents)
    if not contents.images:
        others = contents.others.total() + len(contents.rejects) + len(contents.texts) + len(contents.tables)
        reason = (
            f"none of its {others} files is an image in a format that is read ({FORMATS})" if others else "it is empty"
        )
        raise ValueError(f"folder {path!r} has no images: {reason}; expected one subfolder of images per class")
    _check_layout(path, contents.images)
    rejects = contents.rejects
    captions = dict(_table_captions(root, contents, rejects))
    records, duplicates = unique(_records(root, contents, captions, rejects))
    rejects += duplicates + list(_empty_classes(root, contents))
    return Listing(class_list(record.class_name for record in records), dealt(records, seed), rejects, _notes(contents))


def _notes(contents: Contents) -> list[str]:
    if not contents.others:
        return []
    kinds = ", ".join(f"{count} {suffix or 'without an end'}" for suffix, count in sorted(contents.others.items()))
    return [f"{contents.others.total()} files that do not claim to be images are left alone: {kinds}"]


def _check_layout(path: str, images: list[Path]) -> None:
    """Raises ValueError when the folders of the root are splits, whether they hold images or class folders: their names are not
    classes."""
    tops = sorted({image.parts[0] for image in images})
    if len(tops) > 1 and SPLITS.issuperset(map(str.lower, tops)):
        meant = Path(path) / next((top for top in tops if top.lower().startswith("train")), tops[0])
        raise ValueError(
            f"folder {path!r} has the folders {', '.join(tops)}, which are splits and not classes; set data.path to one of them,"
            f" such as {meant}: the three splits here are dealt from within it"
        )


def _scan(root: Path) -> Contents:
    contents, seen = Contents(), set()
    for folder, subfolders, files in os.walk(root, onerror=_unreadable, followlinks=True):
        if (real := os.path.realpath(folder)) in seen:
            raise ValueError(f"folder {folder!r} is a link to one that is read already; remove the link")
        seen.add(real)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(name for name in files if not name.startswith(".")):
            _sort_in(contents, root, Path(folder, name).relative_to(root))
    return contents


def _unread(contents: Contents) -> Iterator[Reject]:
    """Images in formats that are not read, and that no image of the same name stands for."""
    read = {path.with_suffix("") for path in contents.images}
    for path in contents.unread:
        if path.with_suffix("") not in read:
            yield Reject(str(path), f"is an image in a format that is not read; turn it into one of {FORMATS}")


def _unreadable(error: OSError) -> None:
    raise ValueError(f"folder {error.filename!r} cannot be read: {error.strerror}") from error


def _sort_in(contents: Contents, root: Path, path: Path) -> None:
    suffix = path.suffix.lower()
    if printable(str(path)) != str(path):
        contents.rejects.append(Reject(printable(str(path)), "its name is not valid UTF-8"))
    elif suffix in SUFFIXES:
        contents.images.append(path)
    elif suffix in TEXTS:
        contents.texts.setdefault(path.with_suffix(""), path)
    elif suffix in (".jsonl", ".csv"):
        contents.tables.append(path)
    elif suffix in UNREAD:
        contents.unread.append(path)
    elif not (root / path).exists():  # perhaps a folder of images on a disk that is not mounted
        contents.rejects.append(Reject(str(path), f"is a link to {os.readlink(root / path)}, which is not there"))
    else:
        contents.others[suffix] += 1


def _records(root: Path, contents: Contents, captions: dict[Path, dict], rejects: list[Reject]) -> Iterator[Record]:
    for path in contents.images:
        class_name = path.parts[0] if len(path.parts) > 1 else root.resolve().name
        entry = captions.get(path, {})
        caption = entry.get("caption")
        if text := contents.texts.get(path.with_suffix("")):
            try:
                caption = (root / text).read_text(encoding="utf-8-sig").strip()
            except UnicodeDecodeError:
                rejects.append(Reject(str(text), "its caption is not valid UTF-8, so the image is left out"))
                continue
        # macOS stores accents in another form of Unicode than Linux; the split must not depend on that.
        key = unicodedata.normalize("NFC", path.with_suffix("").as_posix())
        picture = FilePicture(str(root / path))
        caption = caption or default_caption(class_name)  # an empty caption counts as none
        yield Record(key, picture, class_name, caption, entry.get("attributes", {}), path.as_posix())


def _table_captions(root: Path, contents: Contents, rejects: list[Reject]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The entries of all tables by image; lines that cannot be used are rejects."""
    images, described = set(contents.images), {}
    for table in contents.tables:
        for number, entry in _csv(root, table, contents) if table.suffix.lower() == ".csv" else _jsonl(root / table):
            place = f"{table}:{number}"
            if not isinstance(entry, dict) or not isinstance(file := entry.get("file", entry.get("file_name")), str):
                rejects.append(Reject(place, LINES[table.suffix.lower()]))
                continue
            entry = {"caption": entry.get("text"), **entry}
            image, wrong = table.parent / Path(file), _wrong_entry(entry)
            if image not in images:
                wrong = f"names {file!r}, which is not an image here (paths start at the table's own folder)"
            elif image in described:
                wrong = f"names {file!r} again, after {described[image]}"
            if wrong:
                rejects.append(Reject(place, wrong))
                continue
            described[image] = place
            yield image, entry


def _jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(path.read_bytes().removeprefix(codecs.BOM_UTF8).splitlines(), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                yield number, None


def _csv(root: Path, table: Path, contents: Contents) -> Iterator[tuple[int, Any]]:
    """The rows of a table of captions; a table of something else is a file of another kind.

    None for a row that is none, and for every line from the first on where rows can no longer be told apart.
    """
    content, read = (root / table).read_bytes().removeprefix(codecs.BOM_UTF8), 0
    try:
        rows = csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True)
        columns = set(rows.fieldnames or ())
        if not columns & {"file", "file_name"} or not columns & {"caption", "text"}:
            contents.others[".csv"] += 1
            return
        read = rows.line_num
        for row in rows:
            read = rows.line_num
            yield read, None if None in row else row  # DictReader keeps under None what is beyond the last column
    except (UnicodeDecodeError, csv.Error):
        yield from ((number, None) for number in range(read + 1, len(content.splitlines()) + 1))


def _wrong_entry(entry: dict[str, Any]) -> str | None:
    if not isinstance(entry.get("caption"), str):
        return "has no caption, or one that is not text"
    return None if isinstance(entry.get("attributes", {}), dict) else "has attributes that are not an object"


def _empty_classes(root: Path, contents: Contents) -> Iterator[Reject]:
    used = {path.parts[0] for path in contents.images}
    for folder in sorted(root.iterdir()):
        if folder.is_dir() and not folder.name.startswith(".") and folder.name not in used:
            yield Reject(printable(folder.name), "is a class folder without any image")
