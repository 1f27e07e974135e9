import io
import json
import pickle
import shutil
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image

from asymflow import documents
from asymflow.config.data import Data
from asymflow.data.reader import ShardReader
from asymflow.data.shards import write_splits
from asymflow.data.tars import member_sum

PIXELS = np.random.default_rng(0).integers(0, 256, (11, 8, 8, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    root, out = tmp_path_factory.mktemp("photos"), tmp_path_factory.mktemp("out")
    for i, pixels in enumerate(PIXELS):
        (root / "abc"[i % 3]).mkdir(exist_ok=True)
        Image.fromarray(pixels).save(root / "abc"[i % 3] / f"{i}.png")
    data = Data(source="folder", path=str(root), image_size=8, train=None, evaluator=0, heldout=0, shard_size=4)
    write_splits(data, out, 1)
    return out


@pytest.fixture
def out(complete, tmp_path):
    """A copy that a test may damage."""
    shutil.copytree(complete, tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def reader(complete):
    return ShardReader(complete / "train.json")


def number(reader: ShardReader, i: int) -> int:
    """Which of the images a sample is, from the name of its file."""
    return int(reader.record(i)["source"][2:].removesuffix(".png"))


def test_the_index_is_told(reader):
    assert (reader.split, reader.source, reader.image_size) == ("train", "folder", 8)
    assert (reader.classes, reader.class_counts) == (["a", "b", "c"], [4, 4, 3])
    assert len(reader) == 11


def test_every_image_has_its_pixels_and_its_label(reader):
    assert sorted(number(reader, i) for i in range(11)) == list(range(11))
    for i in range(11):
        image, label = reader[i]
        assert image.dtype == torch.uint8
        assert np.array_equal(image.permute(1, 2, 0), PIXELS[number(reader, i)])
        assert label == reader.labels[i] == number(reader, i) % 3
        assert reader.captions[i] == f"a photo of a {'abc'[label]}"


def test_images_come_in_the_order_asked_for_and_may_repeat(reader):
    everything = reader.images(range(len(reader)))
    chosen = [10, 0, 5, 0, 9]
    assert torch.equal(reader.images(chosen), everything[chosen])
    assert everything.is_contiguous()
    assert reader.images([]).shape == (0, 3, 8, 8)


def test_a_reader_travels_to_other_processes(reader):
    assert torch.equal(pickle.loads(pickle.dumps(reader)).images([3]), reader.images([3]))


def change_index(out, **changes):
    path = out / "train.json"
    documents.write(path, "split", documents.read(path, "split") | changes)


def shards(out) -> list[dict]:
    return json.loads((out / "train.json").read_text())["shards"]


def test_a_bit_that_turns_in_an_image_or_its_description_is_an_error_when_it_is_read(out):
    path, whole = out / "train" / "shard-00001.tar", (out / "train" / "shard-00001.tar").read_bytes()
    reader = ShardReader(out / "train.json")
    for place, read in (
        (reader._places[5].image[0] + 60, reader.images),
        (reader._places[5].description[0], reader.record),
    ):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(
            ValueError, match=r"shard-00001.tar is damaged, .* delete .*train.json and give the same command"
        ):
            read([5]) if read == reader.images else read(5)
        path.write_bytes(whole)
    assert reader.images([5]).shape == (1, 3, 8, 8)


def test_a_shard_of_another_set_is_an_error_when_it_is_read(out):
    (out / "train" / "shard-00001.tar").write_bytes((out / "train" / "shard-00000.tar").read_bytes())
    reader = ShardReader(out / "train.json")
    with pytest.raises(ValueError, match=r"shard-00001.tar .* is not the shard that .*train.json lists"):
        reader.images([4])


def test_a_missing_shard_is_an_error(out):
    (out / "train" / "shard-00002.tar").unlink()
    with pytest.raises(ValueError, match=r"shard-00002.tar, which does not exist"):
        ShardReader(out / "train.json")


def test_a_cut_shard_is_an_error(out):
    path = out / "train" / "shard-00000.tar"
    content = path.read_bytes().rstrip(b"\0")
    for length in (100, len(content) // 2, len(content) // 512 * 512):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"shard-00000.tar is truncated or damaged"):
            ShardReader(out / "train.json")


def test_a_wrong_count_is_an_error(out):
    change_index(out, count=12)
    with pytest.raises(ValueError, match="its shards hold 11 samples, but its count is 12"):
        ShardReader(out / "train.json")
    change_index(out, count=11, shards=[shard | {"count": shard["count"] - 1} for shard in shards(out)])
    with pytest.raises(ValueError, match=r"shard-00000.tar holds 4 images among 8 members, but .* says 3"):
        ShardReader(out / "train.json")


def test_other_labels_than_the_index_counts_are_an_error(out):
    change_index(out, class_counts=[4, 3, 4])
    with pytest.raises(ValueError, match="other counts than it says"):
        ShardReader(out / "train.json").labels  # noqa: B018


@pytest.mark.parametrize("name", ["00000009.pkl", "00000000.exe", "00000009.json"])
def test_a_member_that_does_not_belong_there_is_an_error(out, name):
    with tarfile.open(out / "train" / "shard-00000.tar", "a") as tar:
        tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(ValueError, match="holds 4 images among 9 members"):
        ShardReader(out / "train.json")


@pytest.mark.parametrize("file", ["../elsewhere.tar", "/etc/shard.tar"])
def test_a_shard_outside_the_folder_of_the_index_is_refused(out, file):
    change_index(out, shards=[{"file": file, "count": 1, "samples": ""}])
    with pytest.raises(ValueError, match="not below the index's own folder"):
        ShardReader(out / "train.json")


@pytest.mark.parametrize("content", ["{", "[]", '{"split": "train"}'])
def test_a_file_that_is_no_index_is_an_error(tmp_path, content):
    (tmp_path / "train.json").write_text(content)
    with pytest.raises(ValueError, match=r"train.json (is cut or damaged|holds)"):
        ShardReader(tmp_path / "train.json")


def test_a_missing_index_is_an_error_that_names_the_stage(tmp_path):
    with pytest.raises(ValueError, match=r"cannot be read .* stage shard writes it"):
        ShardReader(tmp_path / "train.json")


def test_an_image_of_another_size_is_an_error(out):
    png = io.BytesIO()
    Image.new("RGB", (9, 9)).save(png, "PNG")
    path = out / "train" / "shard-00002.tar"
    with tarfile.open(path, "w") as tar:
        for i in range(3):
            for name, content in ((f"{i}.json", b'{"label": 0}'), (f"{i}.png", png.getvalue())):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    sums = 3 * (member_sum(b'{"label": 0}') + member_sum(png.getvalue()))
    change_index(out, shards=[*shards(out)[:2], shards(out)[2] | {"samples": sums}])
    with pytest.raises(ValueError, match=r"is RGB \(9, 9\)"):
        ShardReader(out / "train.json").images([8])
