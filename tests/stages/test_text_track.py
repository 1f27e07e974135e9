"""The text track from end to end in small: from an autoencoder, or a FLUX.2 klein on disk, to samples, scores and an export."""

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
from asymflow.config.prompts import Prompts
from asymflow.config.subspace import Subspace
from asymflow.config.text_arm import Head, TextArm, TextTraining
from asymflow.config.text_sampling import TextSampling
from asymflow.config.transformer import Adapter, Transformer
from asymflow.data.shards import write_splits
from asymflow.models import export as exported
from asymflow.models import latents
from asymflow.models.text_model import Lift
from asymflow.sampling.sampler import noise
from asymflow.sampling.text import TextRun, sample
from asymflow.stages import (
    encode,
    encode_prompts,
    export,
    fit_autoencoder,
    fit_lift,
    fit_perceptual,
    pairs,
    sample_text,
    score,
    score_text,
    train_text,
)
from asymflow.subspace.patches import CHANNEL_FIRST, CHANNEL_LAST

SMALL = Transformer(heads=2, head_width=16, double_blocks=1, single_blocks=1)
TRAINING = TextTraining(
    images=40,
    batch=10,
    warmup_images=10,
    log_images=10,
    checkpoint_images=20,
    shift=2.0,
    precision="float32",
    compile="off",
)
SAMPLING = TextSampling(steps=3, guidance=2.0, batch=10, precision="float32")
FULL = Loss(variance_reduction=True, kappa=0.3, perceptual=0.2)


def arm(**changes):
    given = {"transformer": SMALL, "adapter": Adapter(rank=2, alpha=2.0), "training": TRAINING} | changes
    return TextArm(**given)


ARMS = {
    "latent_base": arm(space="latent", adapter=None, training=TRAINING.model_copy(update={"caption_dropout": 0.2})),
    "lifted": arm(start="latent_base", training=TRAINING.model_copy(update={"images": 0})),
    "asymflow_lpips": arm(start="latent_base", loss=FULL),
    "ddt": arm(
        start="latent_base", head=Head(width=32, heads=2), adapter=Adapter(rank=2, alpha=2.0, full=("x_embedder",))
    ),
}


class Track:
    """The files of one text track, and its stages."""

    def __init__(self, run, folder, portraits, latent_model=None):
        self.run, self.folder, self.portraits, self.model = run, folder, portraits, latent_model
        self.latents = latent_model or folder / "autoencoder.safetensors"
        self.reader = latent_model or portraits / "local.safetensors"
        self.options = {"folder": latent_model} if latent_model else {}

    def prepare(self):
        data = self.portraits / "train.json"
        if not self.model:
            config = Autoencoder(channels=4, width=8, images=200, batch=20, precision="float32").model_dump_json()
            self.run(
                fit_autoencoder, config=config, data=data, heldout=self.portraits / "heldout.json", out=self.latents
            )
        config = Subspace(images=60).model_dump_json()
        self.run(
            fit_lift,
            config=config,
            patch_size=16,
            colour="oklab",
            data=data,
            latents=self.latents,
            out=self.folder / "lift.safetensors",
        )
        self.run(
            encode, patch_size=16, data=data, latents=self.latents, reader=self.reader, out=self.folder / "train.json"
        )
        self.run(
            encode_prompts,
            config=Prompts(count=25).model_dump_json(),
            heldout=self.portraits / "heldout.json",
            reader=self.reader,
            prompts=self.folder / "prompts.json",
            tokens=self.folder / "prompts.safetensors",
        )
        config = Perceptual(images=40, batch=20).model_dump_json()
        self.run(
            fit_perceptual,
            config=config,
            data=self.portraits / "evaluator.json",
            out=self.folder / "perceptual.safetensors",
        )
        return self

    def train(self, name, arm, **changes):
        out = self.folder / name
        given = {
            "arm": arm.model_dump_json(), "seed": 1, "data": self.portraits / "train.json", "encoded": self.folder / "train.json",
            "lift": self.folder / "lift.safetensors", "perceptual": self.folder / "perceptual.safetensors",
            "state": out / "state", "model": out / "model.safetensors", "curve": out / "curve.jsonl",
            "summary": out / "train.json",
        } | self._start(arm) | self.options  # fmt: skip
        self.run(train_text, **(given | changes))
        return out

    def sample(self, name, arm):
        out = self.folder / name
        self.run(
            sample_text,
            sampling=SAMPLING.model_dump_json(),
            model=out / "model.safetensors",
            latents=self.latents,
            prompts=self.folder / "prompts.safetensors",
            samples=out / "samples.npy",
            summary=out / "samples.json",
            **self._start(arm),
            **self.options,
        )
        return np.load(out / "samples.npy")

    def _start(self, arm):
        return {"start": self.folder / arm.start / "model.safetensors"} if arm.start else {}


@pytest.fixture(scope="module")
def track(run, portraits, tmp_path_factory):
    """All arms trained and sampled."""
    track = Track(run, tmp_path_factory.mktemp("track"), portraits).prepare()
    for name, own in ARMS.items():
        track.train(name, own)
        track.sample(name, own)
    return track


def test_every_arm_draws_an_image_for_each_caption(track):
    for name in ARMS:
        images = np.load(track.folder / name / "samples.npy")
        assert (images.shape, images.dtype) == ((25, 32, 32, 3), np.uint8)
        told = json.loads((track.folder / name / "train.json").read_text())
        assert told["gflops_per_image"] > 0
        assert told["trained_parameters"] <= told["parameters"]


def test_finetuning_trains_the_adapter_and_the_outer_layers_alone(track):
    _, names = tensors.describe(track.folder / "asymflow_lpips" / "model.safetensors")
    layers = {
        name.removeprefix("ema.flux.base_model.model.").split(".")[0] for name in names if name.startswith("ema.")
    }
    assert {"x_embedder", "proj_out", "norm_out"} <= layers
    assert all("lora" in name or "modules_to_save" in name for name in names if name.startswith("ema."))


def test_an_untrained_arm_is_the_lift(track):
    """No image of training: what is sampled is the latent model, lifted, so its first layer is the start's times A^T."""
    lifted = tensors.load(track.folder / "lifted" / "model.safetensors")
    base = tensors.load(track.folder / "latent_base" / "model.safetensors")
    name = next(name for name in lifted if "x_embedder" in name)
    torch.testing.assert_close(lifted[name], base["ema.flux.x_embedder.weight"] @ lifted["A"].T)


def test_a_training_that_is_run_again_gives_the_same_bytes(track, tmp_path):
    first = (track.folder / "asymflow_lpips" / "model.safetensors").read_bytes()
    out = track.train("asymflow_lpips", ARMS["asymflow_lpips"])
    assert (out / "model.safetensors").read_bytes() == first


def test_scores_say_what_was_not_run_and_why(track, portraits):
    out = track.folder / "asymflow_lpips" / "text_scores.json"
    track.run(
        score_text,
        samples=track.folder / "asymflow_lpips" / "samples.npy",
        prompts=track.folder / "prompts.json",
        evaluator=portraits / "local.safetensors",
        out=out,
    )
    told = json.loads(out.read_text())
    assert set(told["metrics"]) == {"clip_local", "attribute_accuracy_local"}
    assert 0 <= told["metrics"]["attribute_accuracy_local"] <= 1
    assert set(told["not_run"]) == {"hpsv3", "hpsv2", "vqa", "geneval", "dpg"}
    assert told["not_run"]["hpsv3"] == "package hpsv3 is not installed"


def test_pairs_are_as_alike_as_can_be_with_themselves(track, portraits):
    study = json.dumps({"arms": ["latent_base", "lifted"], "seeds": [1], "reference": "latent_base"})
    samples = [track.folder / name / "samples.npy" for name in ("latent_base", "lifted")]
    track.run(
        pairs,
        study=study,
        samples=samples,
        perceptual=track.folder / "perceptual.safetensors",
        evaluator=portraits / "local.safetensors",
        out=track.folder / "pairs.csv",
    )
    header, itself, lifted = (line.split(",") for line in (track.folder / "pairs.csv").read_text().split())
    of = header.index("lpips_local_paired")
    assert float(itself[of]) == pytest.approx(0, abs=1e-6)
    assert float(lifted[of]) > 0
    assert float(itself[header.index("similarity_local_paired")]) == pytest.approx(1, abs=1e-5)


def test_a_flux2_klein_goes_the_same_way_and_comes_back_from_its_export(run, klein, portraits, tmp_path):
    """The published classes from a folder: Procrustes, lift, a few steps of finetuning, samples, export, the same image."""
    track = Track(run, tmp_path, portraits, klein).prepare()
    own = arm(loss=FULL)
    track.train("asymflow", own)
    images = track.sample("asymflow", own)
    out = tmp_path / "diffusers"
    run(export, model=tmp_path / "asymflow" / "model.safetensors", folder=klein, out=out)
    model, read, lift = exported.load(out, torch.float32)
    assert (read.colour, read.patch_size, read.training.shift) == ("oklab", 16, 2.0)
    prompts = tensors.load(tmp_path / "prompts.safetensors")
    again = TextRun(model, read, lift, latents.load(klein, 16, torch.device("cpu")))
    drawn = sample(
        again, noise(1, range(10), (3, 32, 32)), prompts["text"][:10].float(), prompts["empty"].float(), SAMPLING
    )
    difference = np.abs(drawn.permute(0, 2, 3, 1).numpy().astype(int) - images[:10])
    assert difference.max() <= 1, "rounding: merged adapters add up in another order"
    assert difference.mean() < 0.01


def test_a_model_with_a_head_is_not_exported(track, tmp_path):
    with pytest.raises(ValueError, match="decoder head is no transformer of diffusers"):
        track.run(
            export,
            model=track.folder / "ddt" / "model.safetensors",
            start=track.folder / "latent_base" / "model.safetensors",
            out=tmp_path / "out",
        )


def test_a_missing_part_of_a_pretrained_model_is_named_before_anything_runs(run, klein, portraits, tmp_path):
    partial = tmp_path / "klein"
    shutil.copytree(klein, partial)
    shutil.rmtree(partial / "vae")
    with pytest.raises(
        ValueError, match=r"vae has no config.json; latent.model must be a folder with a whole FLUX.2 klein"
    ):
        Track(run, tmp_path, portraits, partial).prepare()


def test_patches_that_a_pretrained_token_does_not_span_are_an_error(klein):
    with pytest.raises(ValueError, match="the grids of tokens do not match; set patch_size to 16"):
        latents.load(klein, 32, torch.device("cpu"))


def test_another_grid_of_tokens_is_an_error_before_training(track):
    with pytest.raises(ValueError, match="have 4 x 4 patches of 8: the grids do not match"):
        track.train("small", arm(patch_size=8, start="latent_base"))


def test_a_basis_that_is_no_lift_is_an_error_before_training(track, tmp_path):
    told, _ = tensors.describe(track.folder / "lift.safetensors")
    tensors.save(tmp_path / "pca.safetensors", tensors.load(track.folder / "lift.safetensors"), told | {"kind": "pca"})
    with pytest.raises(ValueError, match="holds a pca basis, not the lift of a latent space"):
        track.train("other", ARMS["asymflow_lpips"], lift=tmp_path / "pca.safetensors")


@pytest.mark.parametrize(
    ("field", "found", "expected"),
    [("patch_size", 8, 16), ("order", CHANNEL_LAST, CHANNEL_FIRST), ("colour", "rgb", "oklab")],
)
def test_a_lift_of_other_patches_is_an_error_before_training(track, tmp_path, field, found, expected):
    told, _ = tensors.describe(track.folder / "lift.safetensors")
    tensors.save(tmp_path / "lift.safetensors", tensors.load(track.folder / "lift.safetensors"), told | {field: found})
    sentence = (
        f"lift.safetensors was fitted with {field} {found!r}, but the model works with {expected!r}; fit it again"
    )
    with pytest.raises(ValueError, match=sentence):
        track.train("other", ARMS["asymflow_lpips"], lift=tmp_path / "lift.safetensors")


def test_a_lift_of_other_tokens_is_an_error_before_training(track, tmp_path):
    told, _ = tensors.describe(track.folder / "lift.safetensors")
    found = tensors.load(track.folder / "lift.safetensors")
    fewer = {"basis": found["basis"][:, :8], "spectrum": found["spectrum"][:8]}
    tensors.save(tmp_path / "lift.safetensors", fewer, told)
    with pytest.raises(
        ValueError, match=r"has latent tokens of 16 numbers, but .* was fitted to tokens of 8; fit it again"
    ):
        track.train("other", ARMS["asymflow_lpips"], lift=tmp_path / "lift.safetensors")


def test_a_lift_is_a_pair_of_a_basis_and_a_scale(track):
    told, _ = tensors.describe(track.folder / "lift.safetensors")
    assert Lift(torch.eye(2), told["scale"]).s > 0


def test_captions_that_say_nothing_are_an_error():
    with pytest.raises(ValueError, match="2 images have no caption; text-to-image arms need one for each image"):
        encode.check_captions(["a dog", "", " "], Path("train.json"))
    with pytest.raises(ValueError, match="60 images have 2 captions"):
        encode.check_captions(["a photo of a cat", "a photo of a dog"] * 30, Path("train.json"))


def test_images_that_came_without_captions_are_an_error_before_anything_is_encoded(run, tmp_path):
    """One of them is enough: it was named by its class when it was read."""
    for i in range(4):
        path = tmp_path / "photos" / "cat" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (60 * i, 0, 0)).save(path)
        if i != 2:
            path.with_suffix(".txt").write_text(f"a cat, number {i}")
    data = Data(source="folder", path=str(tmp_path / "photos"), image_size=32, train=None, evaluator=0, heldout=0)
    write_splits(data, tmp_path, processes=1)
    sentence = r"train.json: 1 of 4 images have no caption of their own, the first is cat/2.png \('a photo of a cat'\); text-to"
    with pytest.raises(ValueError, match=sentence):
        run(
            encode,
            patch_size=16,
            data=tmp_path / "train.json",
            latents=tmp_path,
            reader=tmp_path,
            out=tmp_path / "out.json",
        )


def test_prompts_come_from_text_files_and_jsonl_files(tmp_path):
    (tmp_path / "prompts.txt").write_text("a red bird\n\n  a blue house \n")
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "a red bird", "tag": 1}\n{"prompt": "a blue house"}\n')
    expected = [{"caption": "a red bird", "named": {}}, {"caption": "a blue house", "named": {}}]
    assert encode_prompts.from_file(tmp_path / "prompts.txt") == expected
    assert encode_prompts.from_file(tmp_path / "prompts.jsonl") == expected
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "a red bird"}\n{"text": "a blue house"}\n')
    with pytest.raises(ValueError, match="line 2: expected a JSON object with a prompt, found"):
        encode_prompts.from_file(tmp_path / "prompts.jsonl")
    with pytest.raises(ValueError, match="cannot be read"):
        encode_prompts.from_file(tmp_path / "none.txt")


def test_samples_of_text_arms_are_scored_like_all_others(track):
    assert score._load(track.folder / "lifted" / "samples.npy", 32, score.Scoring()).shape[0] == 25
