"""Text-to-image arms in small: from an autoencoder, or a FLUX.2 klein on disk, to samples, scores and an export."""

import json
import shutil

import numpy as np
import pytest
import torch
from board import grids
from PIL import Image
from workshop import CAPTIONS, SMALL_FLUX, Workshop, run_stage

from asymflow import documents, tensors
from asymflow import sample as by_hand
from asymflow.config.data import Data
from asymflow.config.embeddings import Embeddings
from asymflow.data.reader import ShardReader
from asymflow.data.rows import RowReader
from asymflow.data.shards import write_splits
from asymflow.data.suite import Suite
from asymflow.machine import Machine
from asymflow.models import export as exported
from asymflow.models import latents
from asymflow.models.condition import Condition, Shapes, presence
from asymflow.sampling.run import Run
from asymflow.sampling.sampler import noise, sample
from asymflow.stages import embed_captions, export, pairs, prompts, suite
from asymflow.subspace.patches import CHANNEL_FIRST, CHANNEL_LAST

ADAPTER = {"rank": 2, "alpha": 2.0}
TEXT = {
    "network": SMALL_FLUX,
    "representation": {"colour": "oklab"},
    "conditions": {"shown": [{"share": 1.0, "what": ["caption"]}]},
    "target": {"basis": "lift", "rank": "full"},
    "start": {"run": "latent_base", "adapter": ADAPTER},
    "training": {"shift": 2.0, "time_mean": 0.0, "time_std": 1.0, "optimiser": "adamw_8bit", "averages": ["power_7"]},
}
FULL = {"variance_reduction": {"kappa": 0.3, "perceptual": 0.2}}
ARMS = {
    "latent_base": {
        "representation": {"space": "latent", "colour": "oklab"}, "target": {"basis": "identity", "rank": "full"}, "start": {},
        "conditions": CAPTIONS,
    },
    "lifted": {"training": TEXT["training"] | {"images": 0, "warmup_images": 0}},
    "asymflow_lpips": {"losses": FULL, "training": TEXT["training"] | {"snapshots": 2}},
    "ddt": {
        "target": {"basis": "identity", "rank": "full"},
        "start": {"run": "latent_base", "head": {"width": 32, "heads": 2}, "adapter": ADAPTER | {"full": ["x_embedder"]}},
    },
    "from_scratch": {"start": {"pca": 8}, "target": {"basis": "pca", "rank": 8}, "conditions": CAPTIONS},
    "aligned": {"losses": {"alignment": {"block": 2, "projector": 16, "teacher": "local"}}},
}  # fmt: skip
SAMPLING = {
    "asks": "captions", "solver": "unipc", "steps": 3, "guidance": {"kind": "classifier_free", "scale": 2.0, "orthogonal": True},
    "sigma_min": 1e-4, "gamut_clamp": True, "batch": 10, "count": 25,
}  # fmt: skip


@pytest.fixture(scope="module")
def track(workshop):
    for name, parts in ARMS.items():
        workshop.arm(name, **(TEXT | parts))
    return workshop


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_draws_an_image_for_each_caption(track, name):
    images = track.sample(name, "captions", **SAMPLING)
    assert (images.shape, images.dtype) == ((25, 32, 32, 3), np.uint8)
    shown = grids(track.run_folder(name))  # latents too, as the pixels that the lift makes of them
    assert [grid.shape for _, grid in shown] == ([] if name == "lifted" else 2 * [(2 * 34, 8 * 34, 3)])
    summary = json.loads((track.run_folder(name) / "train.json").read_text())
    assert summary["gflops_per_image"] > 0 and summary["trained_parameters"] <= summary["parameters"]


def test_the_velocity_of_a_pixel_model_of_a_latent_one_is_compared_too(track):
    track.train("latent_base")
    track.sample("asymflow_lpips", "captions", **SAMPLING)
    rows = track.velocity("asymflow_lpips", "captions")["rows"]
    assert all(row["error"] > 0 for row in rows) and len(rows) == 28


def test_snapshots_of_a_text_arm_are_kept_and_sampled(track):
    track.sample("asymflow_lpips", "half", **SAMPLING, snapshot=1)
    summary = json.loads((track.run_folder("asymflow_lpips") / "half/samples.json").read_text())
    assert summary["images_seen"] == 32


def test_finetuning_trains_the_adapter_and_the_outer_layers_alone(track):
    names = tensors.describe(track.train("asymflow_lpips") / "model.safetensors", "model")["checksums"]
    trained = [name.removeprefix("power_7/flux.base_model.model.") for name in names if name.startswith("power_7/")]
    assert {"x_embedder", "proj_out", "norm_out"} <= {name.split(".")[0] for name in trained}
    assert all("lora" in name or "modules_to_save" in name for name in trained)


def test_an_untrained_arm_is_the_lift(track):
    """No image of training: what is sampled is the latent model, lifted, so its first layer is the start's times A^T."""
    lifted = tensors.load(track.train("lifted") / "model.safetensors", "model")
    base = tensors.load(track.train("latent_base") / "model.safetensors", "model")
    name = next(name for name in lifted if "x_embedder" in name)
    torch.testing.assert_close(lifted[name], base["power_7/flux.x_embedder.weight"] @ lifted["A"].T)


def test_before_finetuning_samples_are_the_lift_of_latent_ones_and_after_it_they_are_not(track):
    track.train("latent_base")
    for name in ("lifted", "asymflow_lpips"):
        track.sample(name, "captions", **SAMPLING)
    assert track.coupling("lifted", "captions") < 1e-4
    assert track.coupling("asymflow_lpips", "captions") > 1e-2


def test_a_training_that_is_run_again_gives_the_same_bytes(track, tmp_path):
    track.train("latent_base")
    first = (track.train("asymflow_lpips") / "model.safetensors").read_bytes()
    assert (track.train("asymflow_lpips", out=tmp_path) / "model.safetensors").read_bytes() == first


def encoded_beside_training(track, index):
    """The index of the training captions as text, with what reads them."""
    run_stage(
        embed_captions, config=Embeddings(keep_captions=False).model_dump_json(), reader="local",
        data=track.folder / "data/train.json", evaluator=track.folder / "evaluator/local.safetensors", out=index,
    )  # fmt: skip
    return index


def test_captions_that_are_encoded_beside_training_train_the_same_model(track, tmp_path):
    """But for the last bit of the encoder, whose sums go another way in other batches, and bfloat16's rounding of it.

    Where a gradient is next to nothing, Adam makes a whole step of it: one entry in a thousand may lie apart, but not most of a
    tensor. With the captions of other images one in forty does.
    """
    index = encoded_beside_training(track, tmp_path / "captions/train.json")
    kept = {str(path.relative_to(index.parent)) for path in index.parent.rglob("*.*")}
    assert kept == {"train.json", "train/evaluator.safetensors"}, "no tokens are kept"
    kept = tensors.load(track.train("from_scratch") / "model.safetensors", "model")
    run = track.train("from_scratch", out=tmp_path / "run", captions=index)
    beside = tensors.load(run / "model.safetensors", "model")
    assert kept.keys() == beside.keys()
    apart = {name: ~torch.isclose(beside[name], value, rtol=0, atol=2e-4) for name, value in kept.items()}
    assert [name for name, entries in apart.items() if entries.double().mean() > 0.5] == []
    assert torch.cat([entries.flatten() for entries in apart.values()]).double().mean() <= 1e-3
    said = [tensors.describe(folder / "model.safetensors", "model") for folder in (run, track.train("from_scratch"))]
    assert said[0]["reader"] == said[1]["reader"] and said[0]["shapes"] == said[1]["shapes"]


def test_a_suite_of_the_training_split_reads_captions_that_are_encoded_when_they_are_wanted(track, tmp_path):
    index, paths = encoded_beside_training(track, tmp_path / "captions/train.json"), track.plan.paths
    given = track.plan_inputs("suite", patch_size=16) | {
        "data": paths.split("train"), "images": paths.images(16, "train"), "train_captions": index,
    }  # fmt: skip
    config = track.suite.model_copy(update={"split": "train"}).model_dump_json()
    for name, captions in (("kept", paths.captions("local", "train")), ("encoded", index)):
        run_stage(
            suite, config=config, embeddings=track.plan.section("embeddings"), reader="local", out=tmp_path / name,
            **(given | {"captions": captions}),
        )  # fmt: skip
    kept, encoded = (Suite.load(tmp_path / name) for name in ("kept", "encoded"))
    assert kept.split == encoded.split == "train" and kept.cases == encoded.cases
    torch.testing.assert_close(encoded.rows["text"], kept.rows["text"], rtol=0.02, atol=2e-3)


def test_another_evaluator_than_the_captions_were_meant_for_is_an_error_before_training(track, tmp_path):
    index = encoded_beside_training(track, tmp_path / "captions/train.json")
    document = json.loads(index.read_text())
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"another")
    content = {key: value for key, value in document.items() if key not in ("kind", "format", "checksum")}
    documents.write(index, document["kind"], content | {"source": document["source"] | {"evaluator": str(other)}})
    with pytest.raises(ValueError, match=r"names another .*other\.safetensors than lies there"):
        track.train("from_scratch", out=tmp_path / "run", captions=index)


def test_scores_say_what_was_not_run_and_why(track):
    track.train("latent_base")
    track.sample("asymflow_lpips", "captions", **SAMPLING)
    scores = track.score("asymflow_lpips", "captions", "captions")
    assert set(scores["metrics"]) == {"clip_local", "attribute_accuracy_local"}
    assert 0 <= scores["metrics"]["attribute_accuracy_local"] <= 1
    assert set(scores["not_run"]) == {"hpsv3", "hpsv2", "vqa", "geneval", "dpg"}
    assert scores["not_run"]["hpsv3"] == "package hpsv3 is not installed"


def test_the_first_captions_are_judged_where_fewer_images_were_drawn(track):
    track.sample("lifted", "few", **(SAMPLING | {"count": 7}))
    assert track.score("lifted", "few", "captions")["samples"] == 7


def test_pairs_are_as_alike_as_can_be_with_themselves(track):
    for name in ("latent_base", "lifted"):
        track.sample(name, "captions", **SAMPLING)
    study = {
        "name": "q", "title": "q", "figure": "q", "judges": [], "bases": {}, "configurations": {},
        "arms": {"latent_base": {}, "lifted": {}},
        "seeds": [1], "samplings": {"captions": {}}, "reference": "latent_base",
        "files": {"samples": track.plan.paths.run("samples")},
    }  # fmt: skip
    out = track.folder / "pairs.csv"
    run_stage(
        pairs,
        study=json.dumps(study),
        perceptual=track.plan.paths.perceptual,
        evaluator=track.plan.paths.evaluator,
        out=out,
    )
    header, itself, lifted = (line.split(",") for line in out.read_text().split())
    of = header.index("lpips_local_paired")
    assert float(itself[of]) == pytest.approx(0, abs=1e-6)
    assert float(lifted[of]) > 0
    assert float(itself[header.index("similarity_local_paired")]) == pytest.approx(1, abs=1e-5)


def test_a_picture_can_be_drawn_by_hand_from_an_adapted_arm_and_from_one_of_latents(
    track, tmp_path, monkeypatch, capsys
):
    for name in ("asymflow_lpips", "latent_base"):
        words = [str(track.train(name)), "--captions", "a man", "--count", "2", "--steps", "2", "--solver", "unipc"]
        monkeypatch.setattr("sys.argv", ["sample", *words, "--out", str(tmp_path / f"{name}.png")])
        by_hand.main()
        assert "2 images of a man" in capsys.readouterr().out


@pytest.mark.slow
def test_a_flux2_klein_goes_the_same_way_and_comes_back_from_its_export(klein, portraits, tmp_path):
    """The published classes from a folder: Procrustes, lift, a few steps of finetuning, samples, export, the same image."""
    track = Workshop(tmp_path / "results", portraits, klein)
    track.arm("asymflow", **(TEXT | {"start": {"adapter": ADAPTER}, "losses": FULL}))
    images = track.sample("asymflow", "captions", **SAMPLING)
    model, out = track.run_folder("asymflow") / "model.safetensors", tmp_path / "diffusers"
    run_stage(export, model=model, folder=klein, out=out)
    made, read, lift = exported.load(out, torch.float32)
    assert (read.representation.colour, read.representation.patch_size, read.training.shift) == ("oklab", 16, 2.0)
    rows = RowReader(track.folder / "conditions/captions_flux2/prompts.json")
    hardware = Machine(torch.device("cpu"), torch.float32, False)
    again = Run(made, read, hardware, Shapes(caption=rows.shapes["text"]), (), 32, (2, 2), 1, 64, lift)
    captions = rows.read(range(10))
    condition = Condition(
        presence(("caption",), 10), (2, 2), text=captions["text"], mask=captions["mask"], empty=rows.shared["empty"]
    )
    settings = track.plan.experiment.samplings["captions"]
    drawn = sample(again, noise(1, range(10), (3, 32, 32)), condition, settings)
    difference = np.abs(drawn.permute(0, 2, 3, 1).numpy().astype(int) - images[:10])
    assert difference.max() <= 1, "rounding: merged adapters add up in another order"
    assert difference.mean() < 0.01


def test_a_model_with_a_head_is_not_exported(track, tmp_path):
    start = track.train("latent_base") / "model.safetensors"  # which the other begins with
    model = track.train("ddt") / "model.safetensors"
    with pytest.raises(ValueError, match="has no decoder head, not for this flux; export another arm"):
        run_stage(export, model=model, start=start, out=tmp_path / "out")


def test_a_missing_part_of_a_pretrained_model_is_named_before_anything_runs(klein, portraits, tmp_path):
    partial = tmp_path / "klein"
    shutil.copytree(klein, partial)
    shutil.rmtree(partial / "vae")
    with pytest.raises(
        ValueError, match=r"vae has no config.json; latent.model must be a folder with a whole FLUX.2 klein"
    ):
        Workshop(tmp_path / "results", portraits, partial)


def test_patches_that_a_pretrained_token_does_not_span_are_an_error(klein):
    with pytest.raises(ValueError, match="the grids of tokens do not match; set patch_size to 16"):
        latents.load(klein, 32, torch.device("cpu"))


def test_another_grid_of_tokens_is_an_error_before_training(track):
    small = track.arm("small", **(TEXT | {"representation": {"patch_size": 8, "colour": "oklab"}, "losses": FULL}))
    encoded = track.plan.paths.latents(16, "train")
    with pytest.raises(ValueError, match="have 4 x 4 patches of 8: the grids do not match"):
        track.train(small, latents=encoded, lift=track.plan.paths.lift("oklab", 16))


def test_a_basis_that_is_no_lift_is_an_error_before_training(track, tmp_path):
    lift = track.plan.paths.lift("oklab", 16)
    description = tensors.describe(lift, "subspace")
    tensors.save(
        tmp_path / "pca.safetensors", "subspace", tensors.load(lift, "subspace"), description | {"name": "pca"}
    )
    with pytest.raises(ValueError, match="holds a pca basis, not the lift of a latent space"):
        track.train("asymflow_lpips", out=tmp_path / "out", lift=tmp_path / "pca.safetensors")


@pytest.mark.parametrize(
    ("field", "given", "expected"),
    [("patch_size", 8, 16), ("order", CHANNEL_LAST, CHANNEL_FIRST), ("colour", "rgb", "oklab")],
)
def test_a_lift_of_other_patches_is_an_error_before_training(track, tmp_path, field, given, expected):
    lift = track.plan.paths.lift("oklab", 16)
    description = tensors.describe(lift, "subspace")
    tensors.save(
        tmp_path / "lift.safetensors", "subspace", tensors.load(lift, "subspace"), description | {field: given}
    )
    sentence = (
        f"lift.safetensors was fitted with {field} {given!r}, but the model works with {expected!r}; fit it again"
    )
    with pytest.raises(ValueError, match=sentence):
        track.train("asymflow_lpips", out=tmp_path / "out", lift=tmp_path / "lift.safetensors")


def test_a_lift_of_other_tokens_is_an_error_before_training(track, tmp_path):
    lift = track.plan.paths.lift("oklab", 16)
    description = tensors.describe(lift, "subspace")
    loaded = tensors.load(lift, "subspace")
    fewer = {"basis": loaded["basis"][:, :8], "spectrum": loaded["spectrum"][:8]}
    tensors.save(tmp_path / "lift.safetensors", "subspace", fewer, description)
    with pytest.raises(
        ValueError, match=r"has latent tokens of 16 numbers, but .* was fitted to tokens of 8; fit it again"
    ):
        track.train("asymflow_lpips", out=tmp_path / "out", lift=tmp_path / "lift.safetensors")


def test_captions_that_say_nothing_are_an_error(tmp_path):
    with pytest.raises(
        ValueError, match="2 images have no caption; arms conditioned on captions need one for each image"
    ):
        embed_captions.check(["a dog", "", " "], tmp_path)
    with pytest.raises(ValueError, match="60 images have 2 captions"):
        embed_captions.check(["a cat", "a dog"] * 30, tmp_path)


def test_images_that_came_without_captions_are_an_error_before_anything_is_embedded(tmp_path):
    """One of them is enough: it was named by its class when it was read."""
    for i in range(4):
        path = tmp_path / "photos" / "cat" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (60 * i, 0, 0)).save(path)
        if i != 2:
            path.with_suffix(".txt").write_text(f"a cat, number {i}")
    data = Data(source="folder", path=str(tmp_path / "photos"), image_size=32, train=None, evaluator=0, heldout=0)
    write_splits(data, tmp_path, processes=1)
    sentence = (
        r"train.json: 1 of 4 images have no caption of their own, the first is cat/2.png \('a photo of a cat'\); arms"
    )
    with pytest.raises(ValueError, match=sentence):
        run_stage(
            embed_captions, config=Embeddings().model_dump_json(), reader="local", data=tmp_path / "train.json",
            out=tmp_path / "out.json",
        )  # fmt: skip
    assert len(ShardReader(tmp_path / "train.json")) == 4


def test_prompts_come_from_text_files_and_jsonl_files(tmp_path):
    (tmp_path / "prompts.txt").write_text("a red bird\n\n  a blue house \n")
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "a red bird", "tag": 1}\n{"prompt": "a blue house"}\n')
    expected = [{"caption": "a red bird", "named": {}}, {"caption": "a blue house", "named": {}}]
    assert prompts.from_file(tmp_path / "prompts.txt") == expected
    assert prompts.from_file(tmp_path / "prompts.jsonl") == expected
    for name, text in (("prompts.txt", "a\u2028b\r\n"), ("prompts.jsonl", '{"prompt": "a\u2028b"}\n')):
        (tmp_path / name).write_text(text, newline="", encoding="utf-8")
        assert prompts.from_file(tmp_path / name) == [{"caption": "a\u2028b", "named": {}}], "a line feed ends a line"
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "a red bird"}\n\n{"text": "a blue house"}\n')
    with pytest.raises(ValueError, match="line 3: expected a JSON object with a prompt, found"):
        prompts.from_file(tmp_path / "prompts.jsonl")
    with pytest.raises(ValueError, match="cannot be read"):
        prompts.from_file(tmp_path / "none.txt")
