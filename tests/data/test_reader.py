import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from asymflow import documents
from asymflow.config.data import Data
from asymflow.data import table
from asymflow.data.reader import ShardReader
from asymflow.data.shards import write_splits

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
        (int(reader._table["image"][5]) + 60, reader.images),
        (int(reader._table["description"][5]), reader.record),
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
    content = path.read_bytes()
    for length in (0, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=rf"shard-00000.tar has {length} bytes, but .* says {len(content)}"):
            ShardReader(out / "train.json")


def test_a_wrong_count_is_an_error(out):
    change_index(out, count=12)
    with pytest.raises(ValueError, match=r"train.samples.npy holds 11 rows of .* counts 12 samples"):
        ShardReader(out / "train.json")


def test_a_table_that_is_damaged_missing_or_of_another_split_is_an_error(out):
    table = out / "train.samples.npy"
    whole = table.read_bytes()
    for content in (
        whole[:-1],
        whole[:200] + bytes([whole[200] ^ 1]) + whole[201:],
        (out / "heldout.samples.npy").read_bytes(),
    ):
        table.write_bytes(content)
        with pytest.raises(
            ValueError, match=r"train.samples.npy is damaged, or is not the table that .*train.json names"
        ):
            ShardReader(out / "train.json")
    table.unlink()
    with pytest.raises(ValueError, match=r"train.samples.npy, which is not there; delete .*train.json"):
        ShardReader(out / "train.json")


def test_other_labels_than_the_index_counts_are_an_error(out):
    change_index(out, class_counts=[4, 3, 4])
    with pytest.raises(ValueError, match="other counts than it says"):
        ShardReader(out / "train.json").labels  # noqa: B018


@pytest.mark.parametrize("file", ["../elsewhere.tar", "/etc/shard.tar"])
def test_a_shard_outside_the_folder_of_the_index_is_refused(out, file):
    change_index(out, shards=[{"file": file, "count": 1, "size": 10240}])
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
    rows = np.load(out / "train.samples.npy")
    rows["width"][8] += 1
    change_index(out, table=table.save(out / "train.json", rows))
    with pytest.raises(ValueError, match=r"is RGB \(8, 8\)"):
        ShardReader(out / "train.json").images([8])
