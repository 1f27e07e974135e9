import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from asymflow.data.torchvision_sets import list_torchvision

DIGITS = np.random.default_rng(0).integers(0, 256, (30, 28, 28), dtype=np.uint8)
LABELS = np.arange(30, dtype=np.uint8) % 10


def mnist(root: Path) -> str:
    """The four files of MNIST with digits of our own."""
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for split in ("train", "t10k"):
        (folder / f"{split}-images-idx3-ubyte").write_bytes(
            struct.pack(">IIII", 0x803, *DIGITS.shape) + DIGITS.tobytes()
        )
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, len(LABELS)) + LABELS.tobytes())
    return str(root)


def listed(name: str, root, split=None, download=False, seed=0):
    return list_torchvision(name, str(root), split, download=download, seed=seed)


@pytest.mark.parametrize("split", [None, "train", "test"])
def test_a_dataset_by_name_gives_its_images_and_classes(tmp_path, split):
    listing = listed("MNIST", mnist(tmp_path), split)
    assert len(listing.records) == 30
    assert listing.classes[3] == "3 - three"
    for record in listing.records:
        i = int(record.key)
        assert np.array_equal(np.asarray(record.picture.open()), DIGITS[i])
        assert record.class_name == listing.classes[LABELS[i]]
    assert listing.records[0].caption == f"a photo of a {listing.records[0].class_name}"


def test_pictures_travel_as_a_name_and_a_number(tmp_path):
    record = listed("MNIST", mnist(tmp_path)).records[0]
    assert len(pickle.dumps(record.picture)) < 400


def test_datasets_of_files_have_their_folders_as_classes(tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        Image.new("RGB", (4, 4)).save(tmp_path / label / "1.png")
    assert listed("ImageFolder", tmp_path).classes == ["cat", "dog"]


def test_classes_of_one_name_stay_several_and_have_their_numbers(tmp_path, monkeypatch):
    """As torchvision's ImageNet has a bird and a machine called crane."""
    from torchvision.datasets import MNIST

    monkeypatch.setattr(MNIST, "classes", [("crane",), *"abcdefgh", ("crane",)])
    listing = listed("MNIST", mnist(tmp_path))
    assert listing.classes == ["crane (0)", *"abcdefgh", "crane (9)"]
    for record in listing.records:
        assert record.class_name == listing.classes[LABELS[int(record.key)]]
        assert "(" not in record.caption


@pytest.mark.parametrize(
    "name, nearest", [("CIFAR01", "CIFAR10"), ("VisionDataset", ""), ("os", ""), ("wrap_dataset_for_transforms_v2", "")]
)
def test_only_image_datasets_of_torchvision_are_accepted(tmp_path, name, nearest):
    with pytest.raises(ValueError, match=f"{name}' is not an image dataset of torchvision; did you mean '{nearest}"):
        listed(name, tmp_path)


def test_a_missing_dataset_is_an_error_and_is_not_downloaded(tmp_path):
    with pytest.raises(ValueError, match=r"cannot open CIFAR10 in .*set data.download to true"):
        listed("CIFAR10", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_planted_pickle_of_a_dataset_is_refused_by_its_checksum(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "data_batch_1").write_bytes(pickle.dumps({"data": []}))
    with pytest.raises(ValueError, match="cannot open CIFAR10"):
        listed("CIFAR10", tmp_path)


def test_a_split_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="expected train or test"):
        listed("MNIST", mnist(tmp_path), "validation")
    with pytest.raises(ValueError, match="expected null"):
        listed("ImageFolder", tmp_path, "train")
    with pytest.raises(ValueError, match="cannot open SVHN"):
        listed("SVHN", tmp_path, "nothing")


def test_a_dataset_that_cannot_be_downloaded_says_so(tmp_path):
    with pytest.raises(ValueError, match="cannot download ImageFolder"):
        listed("ImageFolder", tmp_path, download=True)


def test_a_dataset_without_class_numbers_is_an_error(tmp_path):
    folder = tmp_path / "VOCdevkit/VOC2012"
    for name, suffix in (("JPEGImages", "jpg"), ("Annotations", "xml")):
        (folder / name).mkdir(parents=True)
        (folder / name / f"1.{suffix}").touch()
    (folder / "ImageSets/Main").mkdir(parents=True)
    (folder / "ImageSets/Main/train.txt").write_text("1\n")
    with pytest.raises(ValueError, match="does not have a class number for every image"):
        listed("VOCDetection", tmp_path)


def test_a_dataset_that_keeps_no_list_of_targets_is_asked_for_each(tmp_path):
    for split in ("train", "dev", "test"):
        for i, label in enumerate(("negative", "positive")):
            folder = tmp_path / "rendered-sst2" / split / label
            folder.mkdir(parents=True)
            for j in range(i + 1):
                Image.new("RGB", (4, 4), (i, j, 0)).save(folder / f"{j}.png")
    listing = listed("RenderedSST2", tmp_path)
    assert sorted(record.class_name for record in listing.records) == ["negative", "positive", "positive"]
    for record in listing.records:
        assert listing.classes[record.picture.open().getpixel((0, 0))[0]] == record.class_name
