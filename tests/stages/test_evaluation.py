"""The stages fit_evaluator, reference and score, one after the other, on a tiny image folder."""

import json

import numpy as np
import pytest
from PIL import Image
from workshop import run_stage

from asymflow import documents
from asymflow.config.data import Data
from asymflow.config.evaluator import Evaluator
from asymflow.config.scoring import Scoring
from asymflow.config.suite import Suite
from asymflow.data.reader import ShardReader
from asymflow.data.shards import write_splits
from asymflow.files import checksum
from asymflow.stages import fit_evaluator, reference, score

EVALUATOR = Evaluator(
    image_size=16, patch_size=4, stem_width=8, width=16, depth=1, heads=2, images=640, batch=16, precision="float32"
)
SCORING = Scoring(kernel_blocks=4, splits=2, kept=24, batch=7)


def refer(folder, scoring, out, floor):
    """Makes the reference of a folder's splits."""
    run_stage(
        reference,
        config=scoring.model_dump_json(),
        evaluator=folder / "local.safetensors",
        data=folder / "train.json",
        heldout=folder / "heldout.json",
        out=folder / out,
        floor=folder / floor,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the splits of a small image folder (red and blue classes), an evaluator, a reference and samples."""
    folder = tmp_path_factory.mktemp("evaluation")
    generator = np.random.default_rng(0)
    for i in range(96):
        path = folder / "images" / ("red", "blue")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 100, (20, 20, 3))
        pixels[..., (0, 2)[i % 2]] += 100
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    data = Data(source="folder", path=str(folder / "images"), image_size=20, train=48, evaluator=24, heldout=24)
    write_splits(data, folder, processes=1)
    run_stage(
        fit_evaluator,
        config=EVALUATOR.model_dump_json(),
        data=folder / "evaluator.json",
        out=folder / "local.safetensors",
    )
    refer(folder, SCORING, "reference.safetensors", "floor.json")
    reader = ShardReader(folder / "heldout.json")
    images = reader.images(range(len(reader))).permute(0, 2, 3, 1).numpy()
    np.save(folder / "samples.npy", images)
    return folder


def test_images_of_a_single_class_train_no_evaluator(tmp_path):
    (tmp_path / "images/only").mkdir(parents=True)
    for i in range(4):
        Image.new("RGB", (20, 20), (60 * i, 0, 0)).save(tmp_path / f"images/only/{i}.png")
    data = Data(source="folder", path=str(tmp_path / "images"), image_size=20, train=1, evaluator=2, heldout=1)
    write_splits(data, tmp_path, processes=1)
    given = {"config": EVALUATOR.model_dump_json(), "data": tmp_path / "evaluator.json", "out": tmp_path / "local"}
    with pytest.raises(
        ValueError, match=r"2 images in 1 classes; an evaluator needs two of each or more: sort the images"
    ):
        run_stage(fit_evaluator, **given)


def scored(folder, samples="samples.npy", evaluator="local.safetensors"):
    count = len(np.load(folder / samples))
    told = {"asks": "classes", "distribution": [0, count], "file": checksum(folder / samples), "patch_size": 10}
    told["data"] = ShardReader(folder / "train.json").set
    documents.write(folder / "samples.json", "sampling", told)
    run_stage(
        score, judge="distribution", config=Suite().model_dump_json(), samples=folder / samples,
        summary=folder / "samples.json", reference=folder / "reference.safetensors", evaluator=folder / evaluator,
        out=folder / "scores.json",
    )  # fmt: skip
    return json.loads((folder / "scores.json").read_text())


def test_the_held_out_images_score_as_the_floor_says(folder):
    floor, scores = json.loads((folder / "floor.json").read_text()), scored(folder)
    for name, value in floor["metrics"].items():
        assert scores["metrics"][name] == pytest.approx(value, rel=1e-5), name
    assert scores["evaluator"] == "local"
    assert (scores["samples"], scores["reference_images"], scores["paired_images"]) == (24, 48, 24)
    assert floor["class_accuracy"] > 0.9


def test_noise_scores_worse(folder):
    shape = np.load(folder / "samples.npy").shape
    np.save(folder / "noise.npy", np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    images, noise = (scored(folder, samples)["metrics"] for samples in ("samples.npy", "noise.npy"))
    for name in ("fid_local", "kid_local", "patch_fid_local"):
        assert noise[name] > 2 * images[name], name
    assert noise["recall_local"] < images["recall_local"]


def test_fitting_again_gives_the_same_file(folder):
    out = folder / "again.safetensors"
    run_stage(fit_evaluator, config=EVALUATOR.model_dump_json(), data=folder / "evaluator.json", out=out)
    assert out.read_bytes() == (folder / "local.safetensors").read_bytes()


def test_samples_of_another_shape_kind_or_number_are_refused(folder):
    images = np.load(folder / "samples.npy")
    for name, wrong, message in (
        ("large", images.repeat(2, axis=1), "holds images of 40 x 20 pixels; expected 20 x 20"),
        ("float", images / 255, "holds float64"),
        ("few", images[:5], "5 samples of the distribution; the metrics need 8"),
    ):
        np.save(folder / f"{name}.npy", wrong)
        with pytest.raises(ValueError, match=message):
            scored(folder, f"{name}.npy")


def test_a_reference_of_another_evaluator_is_refused(folder):
    changed = EVALUATOR.model_copy(update={"seed": 1, "images": 32})
    out = folder / "other.safetensors"
    run_stage(fit_evaluator, config=changed.model_dump_json(), data=folder / "evaluator.json", out=out)
    with pytest.raises(ValueError, match="make the reference again"):
        scored(folder, evaluator="other.safetensors")


def test_splits_that_are_too_small_are_refused(folder):
    settings = SCORING.model_copy(update={"kernel_blocks": 20})
    with pytest.raises(ValueError, match=r"heldout\.json has 24 images; the metrics need 40"):
        refer(folder, settings, "none.safetensors", "none.json")
    assert not (folder / "none.json").exists()
