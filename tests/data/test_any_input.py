"""Whatever lies in an archive, a table of captions or a prompt file: it is read or refused in words, and nothing is lost."""

import io
import json
import re
import tarfile
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from asymflow.data.archives import list_archives
from asymflow.data.fetch import expand
from asymflow.data.folder import list_folder
from asymflow.stages.prompts import from_file

buffer = io.BytesIO()
Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(buffer, "PNG")
PNG = buffer.getvalue()

PLAIN = settings(max_examples=80, deadline=None)
STEMS = st.one_of(
    st.sampled_from(["a", "b", "x/a", "a b", "ä", "日本", "{a,b}", "a'b", '"', "../up", "/root", ".hidden", "a\\b"]),
    st.text(max_size=6),
)
SUFFIXES = st.sampled_from(["png", "PNG", "jpg", "cls", "txt", "json", "pickle", "seg.png", ""])
CONTENTS = st.one_of(
    st.just(PNG), st.binary(max_size=40), st.text(max_size=20).map(str.encode),
    st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda x: st.lists(x, max_size=3) | st.dictionaries(
        st.sampled_from(["class", "label", "caption", "attributes", "other"]), x, max_size=3), max_leaves=6)
    .map(lambda value: json.dumps(value).encode()),
)  # fmt: skip
TYPES = st.sampled_from([tarfile.REGTYPE] * 8 + [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
MEMBERS = st.lists(st.tuples(STEMS, SUFFIXES, CONTENTS, TYPES), max_size=8)


def archive(path: Path, members) -> Path:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape") as tar:
        for stem, suffix, content, kind in members:
            entry = tarfile.TarInfo(f"{stem}.{suffix}".replace("\0", "").encode("utf-8", "ignore").decode() or "n")
            entry.type, entry.linkname = kind, "elsewhere" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            entry.size = len(content) if kind == tarfile.REGTYPE else 0
            tar.addfile(entry, io.BytesIO(content))
    return path


def listed(path: Path, folder: Path):
    """What an archive offers, or None where it is refused in a sentence that names it."""
    try:
        return list_archives(str(path), 0, folder, whole=False)
    except ValueError as error:
        assert path.name in str(error)
        return None


@PLAIN
@given(members=MEMBERS)
def test_every_image_of_an_archive_is_a_record_or_a_reject(members):
    with tempfile.TemporaryDirectory() as name:
        path = archive(Path(name, "set.tar"), members)
        if (listing := listed(path, Path(name))) is None:
            return
        with tarfile.open(path) as tar:
            names = [entry.name for entry in tar.getmembers() if entry.isreg()]
        images = [
            n
            for n in names
            if n.rpartition("/")[2].partition(".")[2].lower() in ("png", "jpg")
            and not n.rpartition("/")[2].startswith(".")
        ]
        assert len(listing.records) <= len(images) <= len(listing.records) + len(listing.rejects)
        assert len({record.key for record in listing.records}) == len(listing.records)
        for record in listing.records:
            assert record.class_name in listing.classes and record.caption and record.source.startswith("set.tar/")
            json.dumps([record.key, record.source, record.caption]).encode()
            assert ".." not in Path(record.key).parts


@PLAIN
@given(members=MEMBERS, place=st.integers(0), value=st.integers(0, 255), length=st.integers(0))
def test_an_archive_with_a_changed_byte_or_cut_short_is_read_or_refused(members, place, value, length):
    with tempfile.TemporaryDirectory() as name:
        path = archive(Path(name, "set.tar"), [("whole", "png", PNG, tarfile.REGTYPE), *members])
        content = bytearray(path.read_bytes())
        content[place % len(content)] = value
        path.write_bytes(content[: 1 + length % len(content)] if length % 2 else content)
        listed(path, Path(name))


@PLAIN
@given(
    content=st.one_of(st.binary(max_size=200), st.lists(CONTENTS, max_size=5).map(b"\n".join)),
    suffix=st.sampled_from(["jsonl", "csv"]),
)
def test_a_table_of_captions_is_used_line_by_line_or_refused_line_by_line(content, suffix):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "cat").mkdir()
        (folder / "cat/1.png").write_bytes(PNG)
        (folder / f"captions.{suffix}").write_bytes(content)
        listing = list_folder(str(folder), 0)
        assert [record.source for record in listing.records] == ["cat/1.png"]
        for reject in listing.rejects:
            assert reject.path.startswith(f"captions.{suffix}:") and reject.reason


@PLAIN
@given(captions=st.lists(st.text(max_size=30), max_size=6), suffix=st.sampled_from(["jsonl", "txt"]))
def test_prompts_are_those_of_the_file_whatever_they_say(captions, suffix):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, f"prompts.{suffix}")
        if suffix == "jsonl":
            lines, expected = [json.dumps({"prompt": caption}) for caption in captions], captions
        else:
            lines = [caption.encode("utf-8", "ignore").decode() for caption in captions]
            text = "\n".join(lines).removeprefix("\ufeff")
            expected = [line.strip() for line in re.split(r"\r\n?|\n", text) if line.strip()]
        path.write_text("\n".join(lines), encoding="utf-8")
        assert [prompt["caption"] for prompt in from_file(path)] == expected


@PLAIN
@given(content=st.binary(max_size=120))
def test_any_bytes_are_prompts_or_refused_with_the_file_s_name(content):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "prompts.jsonl")
        path.write_bytes(content)
        try:
            from_file(path)
        except ValueError as error:
            assert str(path) in str(error)


@PLAIN
@given(name=st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="/\0"), min_size=1, max_size=30))
def test_a_file_of_any_name_is_found_under_its_own_name(name):
    name = name.encode()[:200].decode("utf-8", "ignore")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{name}.tar")
        path.write_bytes(b"")
        assert expand(str(path)) == [str(path)]
