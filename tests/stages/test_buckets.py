"""The text track on images of two shapes: encoded bucket by bucket, trained on both, the same bytes again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from asymflow import tensors
from asymflow.config.autoencoder import Autoencoder
from asymflow.config.data import Data
from asymflow.config.loss import Loss
from asymflow.config.perceptual import Perceptual
from asymflow.config.subspace import Subspace
from asymflow.config.text_arm import TextArm, TextTraining
from asymflow.config.transformer import Adapter, Transformer
from asymflow.data.encoded import EncodedReader
from asymflow.data.reader import ShardReader
from asymflow.data.shards import write_splits
from asymflow.models import latents
from asymflow.stages import encode, fit_autoencoder, fit_lift, fit_perceptual, train_text

SQUARE, WIDE = (32, 32), (32, 48)
GRIDS = {SQUARE: (2, 2), WIDE: (2, 3)}
COUNTS = {SQUARE: 23, WIDE: 14}
TRAINING = TextTraining(
    images=60, batch=10, warmup_images=10, log_images=10, shift=2.0, precision="float32", compile="off"
)
BASE = TextArm(
    space="latent", transformer=Transformer(heads=2, head_width=16, double_blocks=1, single_blocks=1), adapter=None,
    training=TRAINING,
)  # fmt: skip
FINETUNED = BASE.model_copy(
    update={
        "space": "pixel", "start": "latent_base", "adapter": Adapter(rank=2, alpha=2.0),
        "loss": Loss(variance_reduction=True, kappa=0.3, perceptual=0.2),
    }
)  # fmt: skip


def pictures(folder: Path) -> Path:
    """Coarse images of two shapes with a caption each."""
    for shape, count in COUNTS.items():
        for i in range(count):
            coarse = np.random.default_rng((*shape, i)).integers(0, 256, (4, 6, 3), dtype=np.uint8)
            path = folder / "all" / f"{shape[1]}_{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(coarse).resize(shape[::-1]).save(path)
            path.with_suffix(".txt").write_text(f"picture {i} of {shape[1]} pixels")
    return folder


@pytest.fixture(scope="module")
def folder(run, portraits, tmp_path_factory):
    """All that training needs, from images of two shapes; the captions' reader has learned from portraits."""
    out = tmp_path_factory.mktemp("buckets")
    data = Data(
        source="folder", path=str(pictures(out / "photos")), image_size=32, shapes=(WIDE,), train=None, evaluator=0, heldout=0,
        shard_size=8,
    )  # fmt: skip
    write_splits(data, out / "data", processes=1)
    train, autoencoder = out / "data" / "train.json", out / "autoencoder.safetensors"
    config = Autoencoder(channels=4, width=8, images=40, batch=20, precision="float32").model_dump_json()
    run(fit_autoencoder, config=config, data=train, heldout=portraits / "heldout.json", out=autoencoder)
    lift = {"config": Subspace(images=30).model_dump_json(), "patch_size": 16, "colour": "oklab"}
    run(fit_lift, **lift, data=train, latents=autoencoder, out=out / "lift.safetensors")
    reader = portraits / "local.safetensors"
    run(encode, patch_size=16, data=train, latents=autoencoder, reader=reader, out=out / "train.json")
    config = Perceptual(images=20, batch=20).model_dump_json()
    run(fit_perceptual, config=config, data=portraits / "evaluator.json", out=out / "perceptual.safetensors")
    return out


def trained(run, folder, out, arm, **changes):
    given = {
        "arm": arm.model_dump_json(), "seed": 1, "data": folder / "data" / "train.json", "encoded": folder / "train.json",
        "lift": folder / "lift.safetensors", "perceptual": folder / "perceptual.safetensors", "state": out / "state",
        "model": out / "model.safetensors", "curve": out / "curve.jsonl", "summary": out / "train.json",
    } | changes  # fmt: skip
    run(train_text, **given)
    return (out / "model.safetensors").read_bytes()


def test_tokens_are_those_of_the_whole_images_in_their_own_grids(folder):
    reader, found = ShardReader(folder / "data" / "train.json"), EncodedReader(folder / "train.json")
    space = latents.load(folder / "autoencoder.safetensors", 16, torch.device("cpu"))
    assert {bucket.shape: len(bucket.numbers) for bucket in reader.buckets} == COUNTS
    for numbers, shape in reader.buckets:
        assert found.grids(numbers) == {GRIDS[shape]}
        for i in numbers:
            expected = space.encode(reader.whole([i]).float() / 127.5 - 1)
            torch.testing.assert_close(found.read([i])[0], expected, atol=5e-3, rtol=1e-3)  # half precision
    assert len({found.read([i])[1].sum().item() for i in range(len(found))}) == len(found), "a caption for each"


def test_training_runs_over_both_shapes_and_gives_the_same_bytes_again(run, folder, tmp_path, monkeypatch):
    grids, draw = [], train_text.draw
    monkeypatch.setattr(
        train_text, "draw", lambda *batch, **options: grids.append(draw(*batch, **options)) or grids[-1]
    )
    base = trained(run, folder, tmp_path / "base", BASE)
    start = tmp_path / "base" / "model.safetensors"
    first, second = (trained(run, folder, tmp_path / name, FINETUNED, start=start) for name in ("first", "second"))
    assert first == second != base
    assert {example.grid for example in grids} == set(GRIDS.values()), "batches of both"
    for example in grids:
        assert example.x_0.shape[1] == len(example.positions) == example.grid[0] * example.grid[1]
        assert example.positions[-1].tolist() == [0, example.grid[0] - 1, example.grid[1] - 1, 0]
    losses = [json.loads(line)["loss"] for line in (tmp_path / "first" / "curve.jsonl").read_text().splitlines()]
    assert len(losses) == 6 and np.isfinite(losses).all()
    moved = tensors.load(tmp_path / "first" / "model.safetensors")
    assert any(name.startswith("ema.") and value.abs().max() > 0 for name, value in moved.items())
    assert json.loads((tmp_path / "first" / "train.json").read_text())["gflops_per_image"] > 0


def test_a_bucket_whose_tokens_lie_otherwise_is_an_error_before_training(run, folder, tmp_path):
    copied = tmp_path / "encoded"
    shutil.copytree(folder, copied, ignore=shutil.ignore_patterns("photos", "data"))
    told = json.loads((copied / "train.json").read_text())
    told["shards"][-1]["grid"] = [3, 2]
    (copied / "train.json").write_text(json.dumps(told))
    message = (
        r"has images 23 to 36 in grids \[\(3, 2\)\] of latent tokens, but with 32 x 48 pixels they have 2 x 3 patches of 16:"
        " the grids do not match; run stage encode with this patch size"
    )
    with pytest.raises(ValueError, match=message):
        trained(run, folder, tmp_path / "out", BASE, encoded=copied / "train.json")
