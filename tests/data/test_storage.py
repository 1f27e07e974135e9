"""Tar files in object storage, on a server that is started here."""

import io
import tarfile

import numpy as np
import pytest
from moto.server import ThreadedMotoServer
from PIL import Image

from asymflow.config.data import Data
from asymflow.data.reader import ShardReader
from asymflow.data.remote import copy, part
from asymflow.data.shards import write_splits

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def bucket():
    """The address of a bucket with two tar files, and its content by name."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}.items():
            environment.setenv(name, value)
        import s3fs

        s3fs.S3FileSystem.clear_instance_cache()
        storage = s3fs.S3FileSystem()
        storage.mkdir("images")
        contents = {f"s-{number}.tar": tar(number) for number in range(2)}
        for name, content in contents.items():
            storage.pipe(f"images/{name}", content)
        yield "s3://images", contents
        s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def tar(number: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        for index in range(6):
            png = io.BytesIO()
            pixels = np.random.default_rng(10 * number + index).integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(png, "PNG")
            for suffix, content in (("png", png.getvalue()), ("cls", b"%d" % (index % 2))):
                member = tarfile.TarInfo(f"{number}-{index}.{suffix}")
                member.size = len(content)
                file.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def splits(path: str, folder, **settings) -> list[tuple[str, np.ndarray]]:
    """The training images that are packed from there, with their sources."""
    counts = {"train": None, "evaluator": 2, "heldout": 2}
    write_splits(Data(source="webdataset", path=path, image_size=8, **counts, **settings), folder, processes=2)
    reader = ShardReader(folder / "train.json")
    return [(reader.record(i)["source"], np.asarray(reader[i][0])) for i in range(len(reader))]


@pytest.mark.parametrize("whole", [False, True])
def test_images_in_object_storage_become_the_shards_that_they_become_on_the_disk(bucket, tmp_path, whole):
    address, contents = bucket
    (tmp_path / "near").mkdir()
    for name, content in contents.items():
        (tmp_path / "near" / name).write_bytes(content)
    far = splits(address + "/s-{0..1}.tar", tmp_path / "far", download=whole)
    near = splits(f"{tmp_path}/near/s-*.tar", tmp_path / "packed")
    assert [source for source, _ in far] == [source for source, _ in near] and len(far) == 8
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(far, near, strict=True))
    indexes = [(tmp_path / folder / "train.json").read_bytes() for folder in ("far", "packed")]
    assert indexes[0].replace(b"far", b"packed") == indexes[1]
    assert not [path for path in (tmp_path / "far").iterdir() if path.name.startswith(".fetched")]


def test_parts_and_copies_are_what_lies_there(bucket, tmp_path):
    address, contents = bucket
    copy(f"{address}/s-0.tar", tmp_path / "s.tar")
    assert (tmp_path / "s.tar").read_bytes() == contents["s-0.tar"]
    assert part(f"{address}/s-1.tar", 512, 100) == contents["s-1.tar"][512:612]


@pytest.mark.parametrize(
    "name, complaint", [("none.tar", "there is no such file"), ("../other/none.tar", "none.tar cannot be")]
)
def test_what_is_not_there_is_an_error_that_names_it(bucket, tmp_path, name, complaint):
    with pytest.raises(ValueError, match=complaint):
        splits(f"{bucket[0]}/{name}", tmp_path)


def test_without_the_library_for_it_the_error_says_what_to_install(tmp_path, monkeypatch):
    import fsspec

    monkeypatch.setattr(fsspec, "get_filesystem_class", lambda name: (_ for _ in ()).throw(ImportError("Install s3fs")))
    monkeypatch.setattr("fsspec.core.get_filesystem_class", fsspec.get_filesystem_class)
    with pytest.raises(ValueError, match=r"a.tar cannot be read: Install s3fs; `pip install '\.\[s3\]'`"):
        splits("s3://bucket/a.tar", tmp_path)
