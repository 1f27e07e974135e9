"""Text-to-image arms on images of two shapes: encoded bucket by bucket, trained on both, the same bytes again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from workshop import CAPTIONS, SMALL_FLUX, run_stage

from asymflow import documents, tensors
from asymflow.config.arm import Arm
from asymflow.config.autoencoder import Autoencoder
from asymflow.config.data import Data
from asymflow.config.embeddings import Embeddings
from asymflow.config.evaluator import Evaluator
from asymflow.config.perceptual import Perceptual
from asymflow.config.subspace import Subspace
from asymflow.data.reader import ShardReader
from asymflow.data.rows import RowReader
from asymflow.data.shards import write_splits
from asymflow.models import latents
from asymflow.stages import (
    embed_captions,
    encode_latents,
    fit_autoencoder,
    fit_evaluator,
    fit_lift,
    fit_perceptual,
    train,
)

EVALUATOR = Evaluator(
    image_size=16, patch_size=8, stem_width=8, width=16, depth=1, heads=2, images=40, batch=10, precision="float32"
)
SQUARE, WIDE = (32, 32), (32, 48)
GRIDS = {SQUARE: (2, 2), WIDE: (2, 3)}
COUNTS = {SQUARE: 23, WIDE: 14}
TRAINING = {
    "images": 60, "batch": 10, "warmup_images": 10, "log_images": 10, "shift": 2.0, "precision": "float32", "compile": "off",
    "averages": ["power_7"],
}  # fmt: skip
BASE = {
    "network": SMALL_FLUX, "representation": {"space": "latent", "colour": "oklab"}, "conditions": CAPTIONS,
    "target": {"basis": "identity", "rank": "full"}, "training": TRAINING,
}  # fmt: skip
FINETUNED = BASE | {
    "representation": {"colour": "oklab"}, "target": {"basis": "lift", "rank": "full"},
    "start": {"run": "latent_base", "adapter": {"rank": 2, "alpha": 2.0}},
    "losses": {"variance_reduction": {"kappa": 0.3, "perceptual": 0.2}},
}  # fmt: skip


def pictures(folder: Path) -> Path:
    """Coarse images of two shapes with a caption each."""
    for shape, count in COUNTS.items():
        for i in range(count):
            coarse = np.random.default_rng((*shape, i)).integers(0, 256, (4, 6, 3), dtype=np.uint8)
            path = folder / "ab"[i % 2] / f"{shape[1]}_{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(coarse).resize(shape[::-1]).save(path)
            path.with_suffix(".txt").write_text(f"picture {i} of {shape[1]} pixels")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All that training needs, from images of two shapes; the captions' reader has learned from their middles."""
    out = tmp_path_factory.mktemp("buckets")
    data = Data(
        source="folder", path=str(pictures(out / "photos")), image_size=32, shapes=(WIDE,), train=None, evaluator=0, heldout=0,
        shard_size=8,
    )  # fmt: skip
    write_splits(data, out / "data", processes=1)
    split, autoencoder = out / "data" / "train.json", out / "autoencoder.safetensors"
    config = Autoencoder(channels=4, width=8, images=40, batch=20, precision="float32").model_dump_json()
    run_stage(fit_autoencoder, config=config, data=split, heldout=split, out=autoencoder)
    lift = {"config": Subspace(images=30).model_dump_json(), "patch_size": 16, "colour": "oklab"}
    run_stage(fit_lift, **lift, data=split, latents=autoencoder, out=out / "lift.safetensors")
    run_stage(encode_latents, patch_size=16, data=split, latents=autoencoder, out=out / "latents" / "train.json")
    run_stage(fit_evaluator, config=EVALUATOR.model_dump_json(), data=split, out=out / "local.safetensors")
    run_stage(
        embed_captions, config=Embeddings().model_dump_json(), reader="local", data=split,
        evaluator=out / "local.safetensors", out=out / "captions" / "train.json",
    )  # fmt: skip
    config = Perceptual(images=20, batch=20).model_dump_json()
    run_stage(fit_perceptual, config=config, data=split, out=out / "perceptual.safetensors")
    return out


def trained(folder, out, arm, **changes):
    given = {
        "arm": Arm.model_validate(arm).model_dump_json(exclude_none=True), "seed": 1, "data": folder / "data" / "train.json",
        "latents": folder / "latents" / "train.json", "captions": folder / "captions" / "train.json",
        "lift": folder / "lift.safetensors", "perceptual": folder / "perceptual.safetensors", "state": out / "state",
        "model": out / "model.safetensors", "snapshots": out / "snapshots", "curve": out / "curve.jsonl",
        "summary": out / "train.json",
    } | changes  # fmt: skip
    run_stage(train, **given)
    return (out / "model.safetensors").read_bytes()


def test_tokens_are_those_of_the_whole_images_in_their_own_grids(folder):
    reader, stored = ShardReader(folder / "data" / "train.json"), RowReader(folder / "latents" / "train.json")
    space = latents.load(folder / "autoencoder.safetensors", 16, torch.device("cpu"))
    assert {bucket.shape: len(bucket.numbers) for bucket in reader.buckets} == COUNTS
    for numbers, shape in reader.buckets:
        assert stored.grids(numbers) == {GRIDS[shape]}
        for i in numbers:
            expected = space.encode(reader.whole([i]).float() / 127.5 - 1)
            torch.testing.assert_close(stored.read([i])["latents"], expected, atol=5e-3, rtol=1e-3)  # half precision
    text = RowReader(folder / "captions" / "train.json")
    assert len({text.read([i])["text"].sum().item() for i in range(len(text))}) == len(text), "a caption for each"


def test_training_runs_over_both_shapes_and_gives_the_same_bytes_again(folder, tmp_path, monkeypatch):
    seen, draw = [], train.draw
    monkeypatch.setattr(train, "draw", lambda *batch, **options: seen.append(draw(*batch, **options)) or seen[-1])
    base = trained(folder, tmp_path / "base", BASE)
    start = tmp_path / "base" / "model.safetensors"
    first, second = (trained(folder, tmp_path / name, FINETUNED, start=start) for name in ("first", "second"))
    assert first == second != base
    assert {example.condition.grid for example in seen} == set(GRIDS.values()), "batches of both"
    for example in seen:
        rows, columns = example.condition.grid
        assert example.x_0.shape[1] == rows * columns == example.pixels.shape[2] * example.pixels.shape[3] // 16**2
    losses = [json.loads(line)["loss"] for line in (tmp_path / "first" / "curve.jsonl").read_text().splitlines()]
    assert len(losses) == 6 and np.isfinite(losses).all()
    moved = tensors.load(tmp_path / "first" / "model.safetensors", "model")
    assert any(name.startswith("power_7/") and value.abs().max() > 0 for name, value in moved.items())
    assert json.loads((tmp_path / "first" / "train.json").read_text())["gflops_per_image"] > 0


def test_a_bucket_whose_tokens_lie_otherwise_is_an_error_before_training(folder, tmp_path):
    copied = tmp_path / "latents"
    shutil.copytree(folder / "latents", copied)
    index = json.loads((copied / "train.json").read_text())
    index["shards"][-1]["grid"] = [3, 2]
    documents.write(copied / "train.json", "rows", index)
    message = (
        r"has images 23 to 36 in grids \[\(3, 2\)\] of latent tokens, but with 32 x 48 pixels they have 2 x 3 patches of 16:"
        " the grids do not match; run stage encode_latents with this patch size"
    )
    with pytest.raises(ValueError, match=message):
        trained(folder, tmp_path / "out", BASE, latents=copied / "train.json")
