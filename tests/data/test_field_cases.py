"""What people's image sets look like: each case is right, or ends in one sentence that says the way on."""

import errno
import gzip
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from asymflow.config.data import Data
from asymflow.data import fetch, remote
from asymflow.data.contents import contents
from asymflow.data.folder import list_folder
from asymflow.data.images import load, to_rgb
from asymflow.files import explained


def put(path: Path, content: str | bytes | None = None) -> None:
    """A file; an image where nothing is said."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        Image.fromarray(np.full((9, 9, 3), len(str(path)), dtype=np.uint8)).save(path)
    elif isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    else:
        path.write_bytes(content)


def captions(root: Path) -> dict[str, str]:
    listing = list_folder(str(root), 0)
    assert not listing.rejects, listing.rejects
    return {record.source: record.caption for record in listing.records}


# ----- stray files, and captions in the formats that others write -----


@pytest.mark.parametrize(
    "name", ["Thumbs.db", "cat/desktop.ini", "cat/1.npz", "cat/1.json", "LICENSE", "cat/1.png.bak", "a.zip"]
)
def test_a_stray_file_costs_nothing(tmp_path, name):
    put(tmp_path / "cat/1.png")
    put(tmp_path / name, b"\0stray")
    assert list(captions(tmp_path)) == ["cat/1.png"]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cat/1.txt", "a cat"),
        ("cat/1.caption", "a cat\n"),
        ("metadata.jsonl", '{"file_name": "cat/1.png", "text": "a cat"}\n'),
        ("cat/metadata.jsonl", '{"file_name": "1.png", "text": "a cat"}\n'),
        ("all.jsonl", '{"file": "cat/1.png", "caption": "a cat"}\n'),
        ("metadata.csv", "file_name,text\ncat/1.png,a cat\n"),
        ("metadata.csv", 'file_name,additional,text\r\ncat/1.png,3,"a cat"\r\n'),
        ("captions.csv", "caption,file\na cat,cat/1.png\n"),
    ],
)
def test_captions_are_read_with_and_without_a_byte_order_mark(tmp_path, name, text, mark):
    put(tmp_path / "cat/1.png")
    put(tmp_path / name, mark + text)
    assert captions(tmp_path) == {"cat/1.png": "a cat"}


def test_a_table_of_something_else_is_left_alone(tmp_path):
    put(tmp_path / "cat/1.png")
    put(tmp_path / "scores.csv", "image,score\ncat/1.png,3\n")
    assert captions(tmp_path) == {"cat/1.png": "a photo of a cat"}


def test_a_table_that_names_an_image_that_is_not_there_is_a_reject(tmp_path):
    put(tmp_path / "cat/1.png")
    put(tmp_path / "metadata.csv", "file_name,text\ncat/2.png,a cat\n")
    (reject,) = list_folder(str(tmp_path), 0).rejects
    assert reject.path == "metadata.csv:2" and "which is not an image here" in reject.reason


def test_a_row_that_would_lose_a_part_of_its_caption_is_a_reject(tmp_path):
    put(tmp_path / "cat/1.png")
    put(tmp_path / "metadata.csv", "file_name,text\ncat/1.png,a red, cat\n")
    (reject,) = list_folder(str(tmp_path), 0).rejects
    assert reject.path == "metadata.csv:2" and "quotes around commas" in reject.reason


@pytest.mark.parametrize(
    ("row", "first"), [('cat/1.png,"a cat', 2), ('cat/1.png,"a "red" cat"', 2), ("cat/1.png,caf\u00e9", 1)]
)
def test_where_rows_cannot_be_told_apart_every_line_is_a_reject(tmp_path, row, first):
    put(tmp_path / "cat/1.png")
    put(tmp_path / "metadata.csv", f"file_name,text\n{row}\ncat/2.png,a cat\n".encode("latin-1"))
    rejects = list_folder(str(tmp_path), 0).rejects
    assert [reject.path for reject in rejects] == [f"metadata.csv:{line}" for line in range(first, 4)]
    assert all("quotes around commas" in reject.reason for reject in rejects)


# ----- what claims to be images and would be left out -----


@pytest.mark.parametrize("name", ["cat/2.heic", "cat/2.JXL", "cat/2.NEF"])
def test_an_image_in_a_format_that_is_not_read_is_a_reject(tmp_path, name):
    put(tmp_path / "cat/1.png")
    put(tmp_path / name, b"\0")
    (reject,) = list_folder(str(tmp_path), 0).rejects
    assert reject.path == name and "format that is not read; turn it into one of JPEG, PNG" in reject.reason
    put(tmp_path / "cat/2.png")
    assert list(captions(tmp_path)) == ["cat/1.png", "cat/2.png"]


def test_a_folder_of_unread_formats_alone_says_which_are_read(tmp_path):
    put(tmp_path / "cat/2.heic", b"\0")
    with pytest.raises(ValueError, match=r"none of its 1 files is an image in a format that is read .JPEG, PNG"):
        list_folder(str(tmp_path), 0)


@pytest.mark.parametrize("name", ["cat/2.jpe", "cat/2.jfif"])
def test_every_end_that_jpeg_files_have_is_read(tmp_path, name):
    put(tmp_path / "cat/1.jpg")
    (tmp_path / "cat/1.jpg").rename(tmp_path / name)
    assert list(captions(tmp_path)) == [name]


def test_a_class_behind_a_link_that_leads_nowhere_is_a_reject(tmp_path):
    put(tmp_path / "cat/1.png")
    (tmp_path / "dog").symlink_to("/disk/dogs")
    (reject,) = list_folder(str(tmp_path), 0).rejects
    assert reject.path == "dog" and reject.reason == "is a link to /disk/dogs, which is not there"


# ----- layouts -----


@pytest.mark.parametrize(
    "splits", [("train", "val"), ("train", "test", "val"), ("Training", "Validation"), ("test", "dev")]
)
@pytest.mark.parametrize("names", [("cat/1.png", "dog/1.png"), ("1.png", "2.png")])
def test_splits_are_refused_as_classes_with_the_folder_that_was_meant(tmp_path, splits, names):
    for split in splits:
        for name in names:
            put(tmp_path / split / name)
    meant = tmp_path / next((split for split in splits if split.lower().startswith("train")), splits[-1])
    with pytest.raises(
        ValueError, match=f"which are splits and not classes; set data.path to one of them, such as {meant}"
    ):
        list_folder(str(tmp_path), 0)


@pytest.mark.parametrize("names", [("train", "plane"), ("train",), ("test", "control")])
def test_classes_that_are_called_like_splits_are_classes(tmp_path, names):
    for name in names:
        put(tmp_path / name / "deep" / "1.png")
    assert list_folder(str(tmp_path), 0).classes == sorted(names)


# ----- metadata of an image -----


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"eXIf", b"\xff" * 40), chunk(b"eXIf", b"II*\0\xff\xff\xff\x7f"), chunk(b"eXIf", b""),
        chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\xff\0\0"),
    ],
)  # fmt: skip
def test_broken_metadata_costs_no_pixels(tmp_path, extra):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[:33] + extra + whole[33:])
    with open(tmp_path / "a.png", "rb") as file:
        assert np.array_equal(np.asarray(to_rgb(load(file))), pixels)


# ----- data that change -----


@pytest.fixture
def photos(tmp_path):
    for i in range(5):
        put(tmp_path / "photos" / "ab"[i % 2] / f"{i}.png")
    return tmp_path / "photos"


def of(path: Path) -> str:
    return contents(Data(source="folder", path=str(path), image_size=8))


def add(root):
    put(root / "a/9.png")


def remove(root):
    (root / "a/0.png").unlink()


def rename(root):
    (root / "a/0.png").rename(root / "a/7.png")


def rewrite(root):
    before = (root / "a/0.png").stat()
    (root / "a/0.png").write_bytes(bytes(before.st_size))
    os.utime(root / "a/0.png", ns=(before.st_atime_ns, before.st_mtime_ns + 1))  # clocks of file systems are coarse


def caption(root):
    put(root / "a/0.txt", "new")


@pytest.mark.parametrize("change", [add, remove, rename, rewrite, caption])
def test_images_that_changed_are_noticed(photos, change):
    before = of(photos)
    assert of(photos) == before
    change(photos)
    assert of(photos) != before


def test_hidden_files_and_times_of_access_are_no_change(photos):
    before = of(photos)
    put(photos / ".DS_Store", b"x")
    (photos / "a/0.png").read_bytes()
    os.utime(photos / "a/2.png", ns=(0, (photos / "a/2.png").stat().st_mtime_ns))
    assert of(photos) == before


def test_archives_that_changed_are_noticed_and_patterns_are_taken_as_they_are_read(tmp_path):
    for i in range(3):
        (tmp_path / f"s-{i}.tar").write_bytes(bytes(10))

    def now(pattern):
        return contents(Data(source="webdataset", path=f"{tmp_path}/{pattern}", image_size=8))

    before = {pattern: now(pattern) for pattern in ("s-{0..1}.tar", "s-*.tar", "s-0.tar")}
    assert len(set(before.values())) == 3
    (tmp_path / "s-2.tar").write_bytes(bytes(20))
    assert [now(pattern) == digest for pattern, digest in before.items()] == [True, False, True]


def test_what_cannot_be_looked_at_says_nothing():
    assert contents(Data()) == ""
    assert contents(Data(source="webdataset", path="https://example.org/s-{0..9}.tar", image_size=8)) == contents(
        Data(source="webdataset", path="https://example.org/t.tar", image_size=8)
    )


# ----- hostile archives, full disks -----


def test_an_archive_that_swells_beyond_sense_is_refused_before_it_fills_the_disk(tmp_path):
    with gzip.open(tmp_path / "bomb.tar.gz", "wb") as file:
        for _ in range(200):
            file.write(bytes(1 << 20))
    with pytest.raises(ValueError, match="unpacks to over 100 times its size"):
        fetch.local(str(tmp_path / "bomb.tar.gz"), tmp_path / "scratch", 0, whole=False)
    assert not [path for path in (tmp_path / "scratch").rglob("*") if path.is_file()]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_full_disk_ends_a_download_at_once_and_is_not_called_a_broken_file(tmp_path, monkeypatch, number):
    def full(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fetch, "_copy", full)
    monkeypatch.setattr(remote, "_blocks", lambda location: iter([b"x"]))
    monkeypatch.setattr(remote.time, "sleep", lambda seconds: pytest.fail("it tried again"))
    with monkeypatch.context() as broken, pytest.raises(OSError) as caught:
        broken.setattr(os, "fsync", full)
        remote.copy("https://example.org/a.tar", tmp_path / "b.tar")
    assert caught.value.errno == number and str(tmp_path / "b.tar") in explained(caught.value)
    with gzip.open(tmp_path / "c.tar.gz", "wb") as file:
        file.write(bytes(100))
    with pytest.raises(OSError) as caught:
        fetch.local(str(tmp_path / "c.tar.gz"), tmp_path / "scratch", 0, whole=False)
    assert caught.value.errno == number
