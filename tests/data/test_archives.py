import functools
import gzip
import http.server
import io
import json
import pickle
import tarfile
import threading
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from asymflow.data import remote
from asymflow.data.archives import list_archives
from asymflow.data.png import Form, packed
from asymflow.data.records import Listing


def png(seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def write(path: Path, members: list[tuple[str, bytes | dict | str]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            content = json.dumps(content) if isinstance(content, dict) else content
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def read(path: Path | str, scratch: Path, whole: bool = False) -> Listing:
    scratch.mkdir(exist_ok=True)
    return list_archives(str(path), 0, scratch, whole=whole)


def only(listing: Listing):
    (record,) = listing.records
    assert not listing.rejects
    return record


def reason(listing: Listing) -> str:
    (reject,) = listing.rejects
    return f"{reject.path}: {reject.reason}"


@pytest.fixture
def scratch(tmp_path):
    return tmp_path / "scratch"


# ----- members -----


@pytest.mark.parametrize(
    "members, label, caption",
    [
        ([("a.cls", "3"), ("a.txt", "three\n")], "3", "three"),
        ([("a.json", {"class": "cat", "label": 7, "caption": "a cat"})], "cat", "a cat"),
        ([("a.json", {"label": 7})], "7", "a photo of a 7"),
        ([("a.json", {"caption": "x"}), ("a.cls", "dog"), ("a.txt", "y")], "dog", "y"),
        ([], "scene", "a photo of a scene"),
    ],
)
def test_class_and_caption_come_from_json_cls_and_txt(tmp_path, scratch, members, label, caption):
    record = only(read(write(tmp_path / "s.tar", [("a.png", png()), *members]), scratch))
    assert (record.key, record.class_name, record.caption) == ("a", label, caption)
    assert record.source == "s.tar/a.png"
    assert np.array_equal(np.asarray(record.picture.open()), np.asarray(Image.open(io.BytesIO(png()))))


@pytest.mark.parametrize("name", ["a.jpg", "a.jpeg", "a.webp", "a.PNG", "./a.png", "deep/er/a.png"])
def test_images_are_found_by_their_extension(tmp_path, scratch, name):
    assert only(read(write(tmp_path / "s.tar", [(name, png())]), scratch)).key == name.removeprefix("./").split(".")[0]


def test_the_members_of_a_sample_need_not_stand_together(tmp_path, scratch):
    members = [("a.png", png(1)), ("b.png", png(2)), ("b.cls", "2"), ("a.cls", "10")]
    listing = read(write(tmp_path / "s.tar", members), scratch)
    assert {record.key: record.class_name for record in listing.records} == {"a": "10", "b": "2"}
    assert listing.classes == ["2", "10"]


class Command:
    """Unpickling it makes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_planted_pickle_is_never_opened(tmp_path, scratch):
    planted, mark = pickle.dumps(Command(tmp_path / "mark")), tmp_path / "mark"
    names = [f"a.{suffix}" for suffix in ("pkl", "pickle", "pyd", "pth", "npy", "mp", "ten", "exe")]
    record = only(read(write(tmp_path / "s.tar", [("a.png", png()), *((name, planted) for name in names)]), scratch))
    record.picture.open()
    assert not mark.exists()
    pickle.loads(planted)  # the trap works
    assert mark.exists()


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png", "a/../../evil.png", "a\\..\\evil.png", "C:evil.png"])
def test_a_member_name_that_leaves_the_folder_is_a_reject_and_nothing_is_written(tmp_path, scratch, name):
    before = set(tmp_path.parent.rglob("*evil*"))
    tar = write(tmp_path / "s.tar", [("a.png", png())])
    with tarfile.open(tar, "a") as archive:  # the writing side strips nothing here
        member = tarfile.TarInfo(name)
        member.size = len(png())
        archive.addfile(member, io.BytesIO(png()))
    listing = read(tar, scratch)
    assert [record.key for record in listing.records] == ["a"]
    assert "would lead out" in reason(listing)
    assert set(tmp_path.parent.rglob("*evil*")) == before


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_link_is_a_reject(tmp_path, scratch, kind):
    tar = write(tmp_path / "s.tar", [("a.png", png())])
    with tarfile.open(tar, "a") as archive:
        member = tarfile.TarInfo("b.png")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    assert "s.tar/b.png: is not a regular file" in reason(read(tar, scratch))


@pytest.mark.parametrize(
    "members, expected",
    [
        ([("b.txt", "x"), ("b.pkl", b"x")], "s.tar/b: has no image, only b.txt, b.pkl"),
        ([("b.seg.png", png())], "s.tar/b: has no image, only b.seg.png"),
        ([("README", b"x")], "s.tar/README: has no image"),
        ([("a.jpg", png())], "s.tar/a.jpg: has the same key as s.tar/a.png, which is kept"),
        ([("a.png", png(1))], "s.tar/a.png: has the same key as s.tar/a.png, which is kept"),
        ([("b.png", png()), ("b.json", "{broken")], "s.tar/b.png: its json cannot be read"),
        ([("b.png", png()), ("b.json", "[" * 10**6)], "s.tar/b.png: its json cannot be read"),
        ([("b.png", png()), ("b.json", "[1]")], "s.tar/b.png: its json is not an object"),
        ([("b.png", png()), ("b.json", {"class": [1]})], "neither a name nor a number"),
        ([("b.png", png()), ("b.json", {"label": 1, "caption": 5})], "a caption that is not text"),
        ([("b.png", png()), ("b.json", {"label": 1, "attributes": 5})], "attributes that are not an object"),
        ([("b.png", png()), ("b.cls", "1"), ("b.txt", b"\xff")], "its txt is not valid UTF-8"),
        ([("b.png", png())], "s.tar/b.png: has no class, as others have"),
        ([("a.cls", "2")], "s.tar/a.cls: its key has another cls already"),
    ],
)
def test_what_cannot_be_used_is_a_reject_by_path(tmp_path, scratch, members, expected):
    listing = read(write(tmp_path / "s.tar", [("a.png", png()), ("a.cls", "1"), *members]), scratch)
    assert [record.key for record in listing.records] == ["a"]
    assert expected in reason(listing)


def test_folders_and_hidden_members_are_left_alone(tmp_path, scratch):
    tar = write(tmp_path / "s.tar", [("d/a.png", png()), ("d/._a.png", b"macOS")])
    with tarfile.open(tar, "a") as archive:
        folder = tarfile.TarInfo("d")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    assert only(read(tar, scratch)).key == "d/a"


def test_keys_that_start_anew_in_each_tar_are_told_apart_by_their_tar(tmp_path, scratch):
    for name in ("0.tar", "1.tar"):
        write(tmp_path / name, [("0.png", png()), ("1.png", png(1))])
    listing = read(tmp_path / "{0,1}.tar", scratch)
    assert {record.key for record in listing.records} == {"0.tar/0", "0.tar/1", "1.tar/0", "1.tar/1"}
    assert not listing.rejects


def test_keys_that_no_two_tars_share_stay_as_they_are(tmp_path, scratch):
    for name in ("0.tar", "1.tar"):
        write(tmp_path / name, [(f"a{name[0]}.png", png())])
    assert {record.key for record in read(tmp_path / "{0,1}.tar", scratch).records} == {"a0", "a1"}


@pytest.mark.parametrize("inner", ["", "shards/"])
def test_tars_of_one_name_in_several_folders_are_told_apart_by_these(tmp_path, scratch, inner):
    """img2dataset numbers the tars and the samples of every set alike."""
    for folder in ("cc3m", "cc12m"):
        (tmp_path / folder / inner).mkdir(parents=True)
        write(tmp_path / folder / inner / "00000.tar", [("000000000.png", png())])
    listing = read(tmp_path / "{cc3m,cc12m}" / inner / "00000.tar", scratch)
    assert not listing.rejects
    assert {record.key for record in listing.records} == {f"{s}/{inner}00000.tar/000000000" for s in ("cc3m", "cc12m")}


def test_a_tar_that_is_named_twice_gives_its_samples_once(tmp_path, scratch):
    write(tmp_path / "s.tar", [("a.png", png())])
    listing = read(f"{tmp_path}/{{s,s}}.tar", scratch)
    assert len(listing.records) == 1 and not listing.rejects


def test_an_archive_without_a_usable_sample_is_an_error(tmp_path, scratch):
    with pytest.raises(ValueError, match=r"no usable sample; s.tar/a: has no image"):
        read(write(tmp_path / "s.tar", [("a.txt", "x")]), scratch)


# ----- damaged tar files -----


def test_a_tar_cut_anywhere_is_an_error(tmp_path, scratch):
    whole = write(tmp_path / "whole.tar", [("a.png", png(1)), ("a.cls", "1"), ("b.png", png(2)), ("b.cls", "1")])
    data = whole.read_bytes()
    end = len(data.rstrip(b"\0")) // 512 * 512 + 512  # the last block with content; padding follows
    for length in range(0, end + 1, 256):
        (tmp_path / "cut.tar").write_bytes(data[:length])
        with pytest.raises(ValueError, match=r"cut\.tar.* is truncated or damaged"):
            read(tmp_path / "cut.tar", scratch)
    (tmp_path / "cut.tar").write_bytes(data[: end + 512])  # one block of the end mark is enough
    assert len(read(tmp_path / "cut.tar", scratch).records) == 2


def test_a_damaged_header_and_tars_glued_together_are_errors(tmp_path, scratch):
    data = write(tmp_path / "s.tar", [("a.png", png(1)), ("b.png", png(2))]).read_bytes()
    damaged = data.replace(b"b.png", b"c.png", 1)  # the checksum of the header is wrong now
    for content in (damaged, data + data, b"no tar at all" * 100):
        (tmp_path / "bad.tar").write_bytes(content)
        with pytest.raises(ValueError, match="truncated or damaged"):
            read(tmp_path / "bad.tar", scratch)


# ----- patterns and URLs -----


@pytest.fixture
def shards(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    for i in range(3):
        write(folder / f"s-{i:03d}.tar", [(f"{i}-{j}.png", png(10 * i + j)) for j in range(2)])
    return folder


@pytest.mark.parametrize("pattern, count", [("s-{000..002}.tar", 6), ("s-*.tar", 6), ("s-00[12].tar", 4)])
@pytest.mark.parametrize("scheme", ["", "file://"])
def test_braces_and_wildcards_name_local_files(shards, scratch, pattern, count, scheme):
    assert len(read(f"{scheme}{shards}/{pattern}", scratch).records) == count


def test_a_file_that_two_patterns_name_is_read_once(shards, scratch):
    assert len(read(f"{shards}/{{s-*,s-000}}.tar", scratch).records) == 6


def test_the_order_does_not_depend_on_the_order_of_tar_files(shards, scratch):
    keys = [
        [r.key for r in read(f"{shards}/s-{{{order}}}.tar", scratch).records]
        for order in ("000,001,002", "002,000,001")
    ]
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    "pattern, complaint",
    [
        ("s-{000..003}.tar", "there is no file .*s-003.tar"),
        ("t-*.tar", "there is no file"),
        ("s-{000,001.tar", "a brace without its partner"),
    ],
)
def test_a_pattern_that_names_a_missing_file_is_an_error(shards, scratch, pattern, complaint):
    with pytest.raises(ValueError, match=complaint):
        read(f"{shards}/{pattern}", scratch)


@pytest.mark.parametrize("location", ["pipe:touch {mark}", "{{{mark}-a,pipe:touch {mark}}}", "ftp://host/a.tar"])
def test_other_schemes_are_refused_and_no_command_runs(tmp_path, scratch, location):
    write(tmp_path / "mark-a", [("a.png", png())])
    with pytest.raises(ValueError, match="has the scheme"):
        read(location.format(mark=tmp_path / "mark"), scratch)
    assert not (tmp_path / "mark").exists()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Short(Quiet):
    """Announces more than it sends."""

    def send_header(self, keyword, value):
        super().send_header(keyword, str(int(value) + 100) if keyword == "Content-Length" else value)


@pytest.fixture
def serve(shards):
    servers = []

    def start(handler) -> str:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(shards)))
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class Parts(Quiet):
    """Gives parts of files, and notes which were asked for."""

    asked: ClassVar[list[tuple[str, int, int]]] = []

    def do_GET(self):
        if not (path := Path(self.translate_path(self.path))).is_file():
            return self.send_error(404)
        content = path.read_bytes()
        first, last = map(
            int, self.headers.get("Range", f"bytes=0-{len(content) - 1}").removeprefix("bytes=").split("-")
        )
        self.asked.append((self.path, first, last))
        self.send_response(206 if "Range" in self.headers else 200)
        self.send_header("Content-Range", f"bytes {first}-{min(last, len(content) - 1)}/{len(content)}")
        self.send_header("Content-Length", str(len(content[first : last + 1])))
        self.end_headers()
        self.wfile.write(content[first : last + 1])

    def end_headers(self):
        self.send_header("Accept-Ranges", "bytes")
        super().end_headers()


class Flaky(Parts):
    """Refuses each part the first time that it is asked for."""

    def do_GET(self):
        if (wanted := (self.path, self.headers.get("Range"))) in self.known:
            return super().do_GET()
        self.known.add(wanted)
        self.send_error(503)

    known: ClassVar[set] = set()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(remote, "PAUSES", (0.0,))


def same(far: Listing, near: Listing) -> bool:
    """Whether two listings have the same samples with the same pixels."""
    images = [[np.asarray(r.picture.open()) for r in listing.records] for listing in (far, near)]
    sources = [[(r.key, r.source, r.caption) for r in listing.records] for listing in (far, near)]
    return sources[0] == sources[1] and all(map(np.array_equal, *images))


@pytest.mark.parametrize("handler", [Parts, Flaky])
def test_remote_tar_files_are_read_in_parts_and_nothing_of_them_is_on_the_disk(shards, scratch, serve, handler):
    far = read(serve(handler) + "/s-{000..002}.tar?token=secret", scratch)
    assert same(far, read(f"{shards}/s-*.tar", scratch))
    assert far.remote and not list(scratch.iterdir())
    assert "secret" not in str([(r.key, r.source) for r in far.records])


def test_an_image_of_a_remote_tar_file_is_read_alone(shards, scratch, serve):
    far = read(serve(Parts) + "/s-000.tar", scratch)
    Parts.asked.clear()
    picture = far.records[0].picture
    picture.open()
    assert [(first, last) for _, first, last in Parts.asked] == [(picture.offset, picture.offset + picture.size - 1)]


def test_a_server_that_gives_no_parts_has_its_files_fetched_whole(shards, scratch, serve):
    far = read(serve(Quiet) + "/s-{000..002}.tar?token=secret", scratch)
    assert same(far, read(f"{shards}/s-*.tar", scratch))
    assert not far.remote and len(list(scratch.iterdir())) == 3


def test_remote_tar_files_are_fetched_before_they_are_read_where_that_is_asked(shards, scratch, serve):
    far = read(serve(Parts) + "/s-{000..002}.tar", scratch, whole=True)
    assert same(far, read(f"{shards}/s-*.tar", scratch))
    assert not far.remote and len(list(scratch.iterdir())) == 3


@pytest.mark.parametrize("handler", [Quiet, Parts])
def test_a_file_that_the_server_does_not_have_is_an_error_at_once(scratch, serve, handler, monkeypatch):
    monkeypatch.setattr(remote, "PAUSES", (1000.0,))
    with pytest.raises(ValueError, match=r"^s-009.tar cannot be read from 127.0.0.1: there is no such file"):
        read(serve(handler) + "/s-009.tar", scratch)


def test_a_server_that_is_not_there_is_an_error_that_names_it(scratch, serve):
    with pytest.raises(ValueError, match=r"^s-000.tar cannot be read from 127.0.0.1: Cannot connect"):
        read("http://127.0.0.1:9/s-000.tar", scratch)


def test_a_download_that_ends_early_is_tried_again_and_then_an_error(scratch, serve):
    with pytest.raises(ValueError, match=r"^s-000.tar cannot be read from 127.0.0.1: .*"):
        read(serve(Short) + "/s-000.tar", scratch)
    assert not list(scratch.iterdir())


def test_a_remote_tar_file_that_is_cut_is_an_error(shards, scratch, serve):
    (shards / "cut.tar").write_bytes((shards / "s-000.tar").read_bytes()[:700])
    with pytest.raises(ValueError, match=r"cut\.tar is truncated or damaged"):
        read(serve(Parts) + "/cut.tar", scratch)


def test_an_image_that_a_server_stops_giving_ends_the_work_and_is_no_reject(shards, scratch, serve):
    far = read(serve(Parts) + "/s-000.tar", scratch)
    (shards / "s-000.tar").unlink()
    with pytest.raises(ValueError, match=r"^s-000.tar cannot be read"):
        list(packed(far.records, Form([(8, 8)]), processes=1))


def test_compressed_tar_files_are_read_near_and_far(shards, scratch, serve):
    data = (shards / "s-000.tar").read_bytes()
    (shards / "z.tar.gz").write_bytes(gzip.compress(data))
    (shards / "cut.tar.gz").write_bytes(gzip.compress(data)[:-20])
    for location in (f"{shards}/z.tar.gz", serve(Quiet) + "/z.tar.gz"):
        assert len(read(location, scratch).records) == 2
    with pytest.raises(ValueError, match=r"cut.tar.gz is not a complete gzip file"):
        read(f"{shards}/cut.tar.gz", scratch)
