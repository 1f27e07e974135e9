"""What is written for others' tools: samples as an array and as pictures, and what a protocol compares them with."""

import numpy as np
import pytest
import torch
from PIL import Image
from workshop import run_stage

from asymflow import documents, parts
from asymflow.data.reader import ShardReader
from asymflow.files import checksum
from asymflow.protocols import reference as references
from asymflow.protocols.networks import Look
from asymflow.stages import give_samples, protocol_reference


@pytest.fixture
def samples(tmp_path):
    """Six samples, of which the middle four are of the distribution."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    np.save(tmp_path / "samples.npy", pixels)
    told = {"distribution": [1, 5], "file": checksum(tmp_path / "samples.npy")}
    documents.write(tmp_path / "samples.json", "sampling", told)
    return pixels[1:5]


def given(folder, out):
    run_stage(give_samples, samples=folder / "samples.npy", summary=folder / "samples.json", out=folder / out)
    return folder / out


def test_an_array_holds_the_samples_of_the_distribution(samples, tmp_path):
    np.testing.assert_array_equal(np.load(given(tmp_path, "samples.npz"))["arr_0"], samples)


def test_pictures_are_the_same_samples_in_folders_of_so_many(samples, tmp_path, monkeypatch):
    monkeypatch.setattr(give_samples, "PART", 3)
    folder = given(tmp_path, "png")
    paths = sorted(folder.rglob("*.png"))
    assert [str(path.relative_to(folder)) for path in paths] == [
        "0000/000000.png", "0000/000001.png", "0000/000002.png", "0001/000003.png",
    ]  # fmt: skip
    np.testing.assert_array_equal(np.stack([np.asarray(Image.open(path)) for path in paths]), samples)


def look(batch):
    """Four numbers of each image, in place of a network's features and logits."""
    shown = batch.float().flatten(2)
    return Look(torch.cat([shown.mean(2), shown[:, :1, 0]], 1), shown.std(2))


def test_a_reference_of_own_images_has_the_statistics_of_all_of_them(portraits, tmp_path, monkeypatch):
    """60 images in batches of seven, of which ten are kept."""
    monkeypatch.setattr(protocol_reference, "BATCH", 7)
    monkeypatch.setattr(protocol_reference, "KEPT", 10)
    monkeypatch.setattr(parts.load(parts.protocol("adm")), "NETWORK", lambda folder, device: look)
    out, data = tmp_path / "reference.npz", portraits / "train.json"
    run_stage(protocol_reference, protocol="adm", folder=tmp_path, data=data, out=out)
    reader, read = ShardReader(data), references.load(out)
    images = reader.images(range(len(reader)))
    features = look(images).features.double().numpy()
    np.testing.assert_allclose(read.mu, features.mean(0), rtol=1e-6)
    np.testing.assert_allclose(read.sigma, np.cov(features, rowvar=False), rtol=1e-6)
    own = {image.tobytes() for image in images.permute(0, 2, 3, 1).numpy()}
    kept = {image.tobytes() for image in read.images}
    assert read.images.shape == (10, 32, 32, 3) and len(kept) == 10 and kept <= own
