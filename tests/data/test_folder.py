import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from asymflow.data.folder import list_folder


def put(path: Path, content: str | bytes = b"\x89PNG") -> Path:
    """A file; listing looks at names, and opens no image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rejects(root: Path) -> dict[str, str]:
    return {reject.path: reject.reason for reject in list_folder(str(root), 0).rejects}


def captions(root: Path) -> dict[str, str]:
    return {record.source: record.caption for record in list_folder(str(root), 0).records}


def test_the_class_is_the_first_subfolder(tmp_path):
    for name in ("dog/1.png", "cat/deep/er/1.jpg", "cat/2.JPEG"):
        put(tmp_path / name)
    listing = list_folder(str(tmp_path), 0)
    assert listing.classes == ["cat", "dog"]
    assert {r.key: r.class_name for r in listing.records} == {"dog/1": "dog", "cat/deep/er/1": "cat", "cat/2": "cat"}
    assert not listing.rejects


def test_images_in_the_root_are_one_class_named_after_it(tmp_path, monkeypatch):
    put(tmp_path / "roses" / "1.png")
    monkeypatch.chdir(tmp_path / "roses")
    assert list_folder(".", 0).classes == ["roses"]


def test_an_opened_picture_has_the_pixels_of_its_file(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    (tmp_path / "a").mkdir()
    Image.fromarray(pixels).save(tmp_path / "a" / "x.png")
    (record,) = list_folder(str(tmp_path), 0).records
    assert np.array_equal(np.asarray(record.picture.open()), pixels)


def test_the_order_does_not_depend_on_the_order_in_which_files_were_made(tmp_path):
    names = [f"{label}/{i}.png" for label in "ab" for i in range(20)]
    for root, order in (("one", names), ("two", names[::-1])):
        for name in order:
            put(tmp_path / root / name)
    one, two = ([r.key for r in list_folder(str(tmp_path / root), 5).records] for root in ("one", "two"))
    assert one == two
    assert one != sorted(one)


def test_keys_do_not_depend_on_how_a_file_system_stores_accents(tmp_path):
    put(tmp_path / "one" / "e\u0301.png")  # e and a combining accent, as macOS has it
    put(tmp_path / "two" / "\u00e9.png")  # one character, as typed on Linux
    (one,), (two,) = (list_folder(str(tmp_path / root), 0).records for root in ("one", "two"))
    assert one.key == two.key


def test_captions_come_from_text_files_then_from_tables_then_from_the_class(tmp_path):
    for name in ("cat/1.png", "cat/2.png", "cat/3.png", "cat/4.png"):
        put(tmp_path / name)
    put(tmp_path / "cat/1.txt", "the first cat\n")
    put(tmp_path / "cat/4.txt", " \n")
    put(
        tmp_path / "all.jsonl",
        '{"file": "cat/1.png", "caption": "unused"}\n\n{"file": "cat/2.png", "caption": "two"}\n',
    )
    expected = {"cat/1.png": "the first cat", "cat/2.png": "two", "cat/3.png": "a photo of a cat"}
    assert captions(tmp_path) == expected | {"cat/4.png": "a photo of a cat"}
    assert not rejects(tmp_path)


def test_paths_in_a_table_start_at_its_own_folder_and_may_bring_attributes(tmp_path):
    put(tmp_path / "cat/1.png")
    put(tmp_path / "cat/told.jsonl", json.dumps({"file": "./1.png", "caption": "one", "attributes": {"fur": "red"}}))
    (record,) = list_folder(str(tmp_path), 0).records
    assert (record.caption, record.attributes) == ("one", {"fur": "red"})


@pytest.mark.parametrize(
    "line, reason",
    [
        ("{broken", "expected one object per line"),
        ("[]", "expected one object per line"),
        ('{"image": "1.png", "caption": "x"}', "expected one object per line"),
        ('{"file": 7, "caption": "x"}', "expected one object per line"),
        ('{"file": "9.png", "caption": "x"}', "which is not an image here"),
        ('{"file": "../../1.png", "caption": "x"}', "which is not an image here"),
        ('{"file": "1.png"}', "has no caption"),
        ('{"file": "1.png", "caption": 3}', "has no caption"),
        ('{"file": "1.png", "caption": "x", "attributes": []}', "attributes that are not an object"),
        ('{"file": "0.png", "caption": "x"}', "again, after a.jsonl:1"),
    ],
)
def test_a_line_of_a_table_that_cannot_be_used_is_a_reject_by_its_number(tmp_path, line, reason):
    put(tmp_path / "0.png")
    put(tmp_path / "1.png")
    put(tmp_path / "a.jsonl", '{"file": "0.png", "caption": "x"}\n' + line)
    assert list(rejects(tmp_path)) == ["a.jsonl:2"]
    assert reason in rejects(tmp_path)["a.jsonl:2"]
    assert captions(tmp_path)["0.png"] == "x"


def test_files_of_other_kinds_are_counted_and_left_alone(tmp_path):
    for name in (
        "cat/1.png",
        "cat/notes.pdf",
        "cat/noname",
        ".DS_Store",
        ".git/x.pdf",
        "cat/.hidden.png",
        "README.txt",
    ):
        put(tmp_path / name)
    assert not rejects(tmp_path)
    assert list_folder(str(tmp_path), 0).notes == [
        "2 files that do not claim to be images are left alone: 1 without an end, 1 .pdf"
    ]


def test_two_images_of_one_name_are_a_duplicate_that_names_both(tmp_path):
    for name in ("cat/1.png", "cat/1.jpg", "dog/1.png"):
        put(tmp_path / name)
    assert rejects(tmp_path) == {"cat/1.png": "has the same key, 'cat/1', as cat/1.jpg, which is kept"}
    assert len(list_folder(str(tmp_path), 0).records) == 2


def test_a_class_folder_without_images_is_a_reject(tmp_path):
    put(tmp_path / "cat/1.png")
    (tmp_path / "dog").mkdir()
    assert rejects(tmp_path) == {"dog": "is a class folder without any image"}


def test_a_caption_or_a_name_that_is_no_text_is_a_reject(tmp_path):
    put(tmp_path / "1.png")
    put(tmp_path / "2.png")
    put(tmp_path / "2.txt", b"\xff\xfe")
    put(Path(os.fsdecode(bytes(tmp_path) + b"/\xff.png")))
    assert set(rejects(tmp_path)) == {"2.txt", "\\xff.png"}
    assert [r.source for r in list_folder(str(tmp_path), 0).records] == ["1.png"]


def test_a_missing_and_an_empty_folder_are_errors(tmp_path):
    with pytest.raises(ValueError, match="nowhere' is not a folder"):
        list_folder(str(tmp_path / "nowhere"), 0)
    with pytest.raises(ValueError, match="no images: it is empty"):
        list_folder(str(tmp_path), 0)
    put(tmp_path / "a.pdf")
    with pytest.raises(ValueError, match="none of its 1 files is an image"):
        list_folder(str(tmp_path), 0)


def test_linked_class_folders_are_read_and_circles_are_errors(tmp_path):
    put(tmp_path / "elsewhere/1.png")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "cat").symlink_to(tmp_path / "elsewhere")
    assert list_folder(str(tmp_path / "root"), 0).classes == ["cat"]
    (tmp_path / "elsewhere" / "loop").symlink_to(tmp_path / "root")
    with pytest.raises(ValueError, match="is a link to one that is read already"):
        list_folder(str(tmp_path / "root"), 0)
