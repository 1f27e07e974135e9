import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import webdataset
from pictures import contents
from PIL import Image

from asymflow.config.data import Data
from asymflow.data import table
from asymflow.data.folder import FilePicture
from asymflow.data.png import Form, pack
from asymflow.data.reader import ShardReader
from asymflow.data.shards import write_splits

SPLITS = ("train", "evaluator", "heldout")


def photos(root: Path, count: int, size: int = 20) -> Path:
    """A folder of two classes with `count` noisy images each."""
    for label in ("cat", "dog"):
        (root / label).mkdir(parents=True)
        for i in range(count):
            seed = 1000 * (label == "dog") + i
            values = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
            Image.fromarray(values).save(root / label / f"{i}.png")
    return root


def data(root: Path, **fields) -> Data:
    return Data(**{"source": "folder", "path": str(root), "image_size": 16, "train": None, "shard_size": 5} | fields)


def sources(index: Path) -> list[str]:
    reader = ShardReader(index)
    return [reader.record(i)["source"] for i in range(len(reader))]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """24 images dealt to three splits: the folder of the images and that of the shards."""
    root = photos(tmp_path_factory.mktemp("photos"), 12)
    out = tmp_path_factory.mktemp("out")
    write_splits(data(root, evaluator=6, heldout=4), out, 1)
    return root, out


def test_splits_have_their_sizes_and_never_overlap(written):
    _, out = written
    dealt = {split: sources(out / f"{split}.json") for split in SPLITS}
    assert {split: len(names) for split, names in dealt.items()} == {"train": 14, "evaluator": 6, "heldout": 4}
    assert len(set().union(*dealt.values())) == 24


def test_the_index_describes_its_shards(written):
    _, out = written
    index = json.loads((out / "train.json").read_text())
    assert index["split"] == "train"
    assert (index["image_size"], index["source"], index["count"], index["read"]) == (16, "folder", 14, 24)
    assert index["classes"] == ["cat", "dog"]
    assert [shard["file"] for shard in index["shards"]] == [f"train/shard-0000{i}.tar" for i in range(3)]
    assert [shard["count"] for shard in index["shards"]] == [5, 5, 4]
    labels = [json.loads(content)["label"] for content in members(out, index, ".json").values()]
    assert index["class_counts"] == [labels.count(0), labels.count(1)]
    for shard in index["shards"]:
        assert (out / shard["file"]).stat().st_size == shard["size"]


def test_the_table_says_where_every_sample_lies(written):
    _, out = written
    for split in SPLITS:
        index = json.loads((out / f"{split}.json").read_text())
        rows = table.load(out / f"{split}.json", index["table"], index["count"])
        places = []
        for number, shard in enumerate(index["shards"]):
            with tarfile.open(out / shard["file"]) as tar:
                entries = {m.name: m for m in tar}
                for name in sorted(name for name in entries if name.endswith(".png")):
                    text = entries[name.replace(".png", ".json")]
                    label = json.load(tar.extractfile(text))["label"]
                    places.append(
                        (number, entries[name].offset_data, entries[name].size, text.offset_data, text.size, label)
                    )
        columns = ("shard", "image", "image_size", "description", "description_size", "label")
        assert list(zip(*(rows[column].tolist() for column in columns), strict=True)) == places


def members(out: Path, index: dict, suffix: str) -> dict[str, bytes]:
    files = {}
    for shard in index["shards"]:
        with tarfile.open(out / shard["file"]) as tar:
            files |= {m.name: tar.extractfile(m).read() for m in tar if m.name.endswith(suffix)}
    return files


def test_shards_hold_what_packing_each_file_gives(written):
    root, out = written
    index = json.loads((out / "train.json").read_text())
    images, descriptions = members(out, index, ".png"), members(out, index, ".json")
    assert len(images) == len(descriptions) == 14
    for name, content in descriptions.items():
        record = json.loads(content)
        assert images[name.replace(".json", ".png")] == pack(
            FilePicture(str(root / record["source"])), Form([(16, 16)])
        )
        assert record["class"] == index["classes"][record["label"]] == record["source"].split("/")[0]
        assert record["caption"] == f"a photo of a {record['class']}"


def test_the_webdataset_package_reads_the_shards(written):
    _, out = written
    reader = ShardReader(out / "train.json")
    urls = [str(out / shard["file"]) for shard in json.loads((out / "train.json").read_text())["shards"]]
    samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode("torchrgb8", only=["png", "json"]))
    assert len(samples) == len(reader) == 14
    for i, sample in enumerate(samples):
        assert sample["__key__"] == f"{i:08d}"
        assert (sample["png"] == reader[i][0]).all()
        assert sample["json"] == reader.record(i)


def test_our_own_shards_are_a_source_again(written, tmp_path):
    _, out = written
    again = Data(
        source="webdataset", path=f"{out}/train/shard-*.tar", image_size=16, train=None, evaluator=0, heldout=0
    )
    write_splits(again, tmp_path, 1)
    one, two = ShardReader(out / "train.json"), ShardReader(tmp_path / "train.json")
    assert one.classes == two.classes
    assert sorted(zip(one.captions, one.labels.tolist(), strict=True)) == sorted(
        zip(two.captions, two.labels.tolist(), strict=True)
    )
    assert len(ShardReader(tmp_path / "heldout.json")) == 0


def test_bytes_are_the_same_again_with_two_processes_and_with_files_made_in_another_order(written, tmp_path):
    root, out = written
    names = sorted((str(path.relative_to(root)) for path in root.rglob("*.png")), reverse=True)
    for name in names:
        (tmp_path / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "copy" / name).write_bytes((root / name).read_bytes())
    write_splits(data(tmp_path / "copy", evaluator=6, heldout=4), tmp_path / "out", 2)
    assert contents(tmp_path / "out") == contents(out)


def test_another_number_of_training_images_leaves_the_other_splits(written, tmp_path):
    root, out = written
    write_splits(data(root, train=3, evaluator=6, heldout=4), tmp_path, 1)
    for split in ("evaluator", "heldout"):
        assert sources(tmp_path / f"{split}.json") == sources(out / f"{split}.json")
    assert sources(tmp_path / "train.json") == sources(out / "train.json")[:3]


def test_compression_changes_the_bytes_and_not_the_pixels(written, tmp_path):
    root, out = written
    write_splits(data(root, evaluator=6, heldout=4, compression=6), tmp_path, 1)
    one, two = ShardReader(out / "train.json"), ShardReader(tmp_path / "train.json")
    assert (one.images(range(14)) == two.images(range(14))).all()


def bad_photos(root: Path) -> Path:
    """Forty good images and one of each bad kind."""
    photos(root, 20)
    Image.new("RGB", (40, 15)).save(root / "cat" / "small.png")
    whole = (root / "cat" / "0.png").read_bytes()
    (root / "cat" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (root / "cat" / "empty.jpg").touch()
    (root / "dog" / "text.jpg").write_text("this is not an image")
    (root / "dog" / "notes.pdf").write_text("%PDF")
    Image.new("F", (20, 20)).save(root / "dog" / "float.tiff")
    (root / "dog" / "gone.png").symlink_to(root / "nowhere")
    (root / "dog" / "7.jpg").write_bytes(whole)
    return root


REASONS = {
    "cat/cut.png": "cannot be decoded: OSError",
    "cat/empty.jpg": "cannot be decoded: UnidentifiedImageError",
    "cat/small.png": "it has 40 x 15 pixels, fewer than 16 x 16",
    "dog/7.png": "has the same key, 'dog/7', as dog/7.jpg",
    "dog/float.tiff": "floating point",
    "dog/gone.png": "cannot be decoded: FileNotFoundError",
    "dog/text.jpg": "cannot be decoded: UnidentifiedImageError",
}


def test_tolerated_rejects_are_listed_with_their_reasons_and_leave_the_splits_full(tmp_path):
    root, out = bad_photos(tmp_path / "photos"), tmp_path / "out"
    write_splits(data(root, evaluator=6, heldout=4, rejects_tolerated=0.2), out, 1)
    for split, count in {"train": 30, "evaluator": 6, "heldout": 4}.items():
        index = json.loads((out / f"{split}.json").read_text())
        reasons = {reject["path"]: reject["reason"] for reject in index["rejects"]}
        assert list(reasons) == sorted(REASONS)
        assert all(REASONS[path] in reason for path, reason in reasons.items())
        assert (index["count"], index["read"]) == (count, 47)


def test_too_many_rejects_are_an_error_that_names_them_and_the_setting(tmp_path):
    root = bad_photos(tmp_path / "photos")
    with pytest.raises(ValueError, match=r"of 47 images cannot be used.* 0.001 that data.rejects_tolerated.*dog/7.png"):
        write_splits(data(root, evaluator=6, heldout=4), tmp_path / "out", 1)
    (root / "dog" / "7.jpg").unlink()
    with pytest.raises(ValueError, match=r"^at least 6 of 46 images cannot be used.*; and 1 more$"):
        write_splits(data(root, evaluator=6, heldout=4), tmp_path / "out", 1)


def test_a_bomb_is_a_reject(tmp_path, monkeypatch):
    Image.new("1", (100, 100)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert "DecompressionBombError" in pack(FilePicture(str(tmp_path / "bomb.png")), Form([(16, 16)]))


def test_exact_counts_fall_short_by_what_was_rejected(tmp_path, capsys):
    root = photos(tmp_path / "photos", 10)
    (root / "cat" / "0.png").write_bytes(b"")
    write_splits(data(root, train=12, evaluator=4, heldout=4, rejects_tolerated=0.1), tmp_path / "out", 1)
    assert [len(ShardReader(tmp_path / "out" / f"{split}.json")) for split in SPLITS] == [11, 4, 4]
    assert "train: 11 of 12 images, 1 rejects" in capsys.readouterr().err


def test_too_few_images_are_an_error(tmp_path):
    with pytest.raises(ValueError, match="there are 6 usable images"):
        write_splits(data(photos(tmp_path / "photos", 3), train=5, evaluator=1, heldout=1), tmp_path / "out", 1)


def test_a_failed_call_leaves_no_index_and_a_later_one_no_old_shards(tmp_path):
    root, out = photos(tmp_path / "photos", 8), tmp_path / "out"
    write_splits(data(root, evaluator=2, heldout=2, shard_size=2), out, 1)
    (root / "cat" / "broken.png").touch()
    with pytest.raises(ValueError, match="cannot be used"):
        write_splits(data(root, evaluator=2, heldout=2), out, 1)
    assert not list(out.glob("*.json"))
    (root / "cat" / "broken.png").unlink()
    (out / "train" / ".shard-00000.1.partial.tar").touch()  # as a killed run leaves them
    (out / ".fetched-abc").mkdir()
    write_splits(data(root, evaluator=2, heldout=2, shard_size=6), out, 1)
    fresh = tmp_path / "fresh"
    write_splits(data(root, evaluator=2, heldout=2, shard_size=6), fresh, 1)
    assert contents(out) == contents(fresh)
    assert not (out / ".fetched-abc").exists()


def test_long_captions_names_and_any_script_survive(tmp_path):
    name = "höhle-" * 30
    (tmp_path / "photos" / "猫").mkdir(parents=True)
    Image.new("RGB", (16, 16)).save(tmp_path / "photos" / "猫" / f"{name}.png")
    (tmp_path / "photos" / "猫" / f"{name}.txt").write_text("一只猫", encoding="utf-8")
    write_splits(data(tmp_path / "photos", evaluator=0, heldout=0), tmp_path / "out", 1)
    reader = ShardReader(tmp_path / "out" / "train.json")
    assert all((tmp_path / "out" / split).is_dir() for split in ("evaluator", "heldout")), "rule shard declares them"
    assert (reader.classes, reader.captions) == (["猫"], ["一只猫"])
    assert reader.record(0)["source"] == f"猫/{name}.png"


def test_remote_tar_files_are_gone_in_the_end(tmp_path, monkeypatch):
    tar = tmp_path / "a.tar.gz"  # a compressed file goes the same way as a remote one
    with tarfile.open(tar, "w:gz") as archive:
        for i in range(3):
            png = io.BytesIO()
            Image.new("RGB", (16, 16), (i, i, i)).save(png, "PNG")
            member = tarfile.TarInfo(f"{i}.png")
            member.size = len(png.getvalue())
            archive.addfile(member, io.BytesIO(png.getvalue()))
    out = tmp_path / "out"
    config = Data(source="webdataset", path=str(tar), image_size=16, train=None, evaluator=1, heldout=1)
    write_splits(config, out, 1)
    assert len(ShardReader(out / "train.json")) == 1
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [*SPLITS, *(f"{split}.json" for split in SPLITS), *(f"{split}.samples.npy" for split in SPLITS)]
    )
