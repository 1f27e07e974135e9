"""FLUX.2 klein from a folder through the workflow: the graph at the paper's scale, and the same graph run in small.

Whoever has the weights brings two folders, the model and images; here both are made, and nothing else of the overlay changes but
its sizes and the networks that judge.
"""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file, save_file

from asymflow.config.loading import load
from asymflow.data.rows import RowReader
from asymflow.machine import Machine
from asymflow.models import export
from asymflow.models.condition import Shapes
from asymflow.sampling.asks import request
from asymflow.sampling.run import Run
from asymflow.sampling.sampler import noise, sample
from asymflow.training.checkpoint import load_model

pytestmark = pytest.mark.slow  # a study of its own, made by the fixture

ROOT = Path(__file__).parents[2]
OVERLAY = "workflow/scales/flux2.yaml"
RESULTS = "results/flux2/"
TABLES = [f"{RESULTS}finetune_ablation.csv", f"{RESULTS}system_comparison.csv"]
RUN = f"{RESULTS}runs/asymflow_lpips/seed0/"
TARGETS = [*TABLES, f"{RUN}diffusers", f"{RUN}published"]
CHOSEN = yaml.safe_load((ROOT / OVERLAY).read_text())
RELEASED = {"layout": "asymflux2", "file": "models/adapter.safetensors"}
THEIRS = f"{RESULTS}runs/theirs/seed0/"
COUNTS = {"train": 12, "evaluator": 8, "heldout": 4}


def small(captioner):
    """The overlay's sizes, cut down; one arm of each kind; judges that are trained here."""
    return {
        "evaluators": "local",
        "data": {"image_size": 64, "shapes": [[64, 80], [80, 64]], **COUNTS},
        "captions": {"model": str(captioner), "tokens": 8},
        "evaluator": {"width": 32, "text_width": 16, "heads": 2, "images": 16, "batch": 8},
        "perceptual": {"images": 8, "batch": 8},
        "scoring": {"kernel_blocks": 2, "splits": 2},
        "prompts": {"count": COUNTS["heldout"]},
        "bases": {
            "text": {
                "start": {"adapter": {"rank": 2, "alpha": 2}},
                "training": {
                    "images": 8, "batch": 4, "micro_batch": 2, "warmup_images": 4, "log_images": 4, "checkpoint_images": 4,
                    "precision": "float32", "compile": "off",
                },
            },
        },
        "arms": {
            "latent_base": {"start": {"adapter": {"rank": 2}}},
            "theirs": {"base": "text", "start": {"released": RELEASED}},
        },
        "samplings": {"captions": {"count": COUNTS["heldout"], "steps": 2, "precision": "float32"}},
        "studies": {
            "finetune_ablation": {"arms": ["lifted", "asymflow_lpips"], "reference": "lifted"},
        },
    }  # fmt: skip


@pytest.fixture(scope="module")
def finished(project, klein, qwen, tmp_path_factory):
    """The overlay's tables and an exported run, made in small."""
    made = project(tmp_path_factory.mktemp("flux2"))
    (made.folder / "small.yaml").write_text(yaml.safe_dump(small(qwen)))
    made.overlays = (OVERLAY, "small.yaml")
    shutil.copytree(klein, made.folder / CHOSEN["latent"]["model"])
    draw_images(made.folder / CHOSEN["data"]["path"], sum(COUNTS.values()))
    result = made.run(*TARGETS)
    assert result.returncode == 0, result.stdout + result.stderr
    return made


def draw_images(folder, count):
    """Rectangles of random colours in two classes, wide and high ones, without captions."""
    random = np.random.default_rng(0)
    for i in range(count):
        image = np.full((64, 80, 3), random.integers(256, size=3), dtype=np.uint8)
        top, left, *colour = random.integers((32, 40, 256, 256, 256))
        image[top : top + 32, left : left + 40] = colour
        path = folder / ("left" if left < 20 else "right") / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image if i % 2 else image.transpose(1, 0, 2)).save(path)


@pytest.fixture
def untouched(project, klein, tmp_path):
    """The overlay as it is, with a model in its place."""
    made = project(tmp_path / "flux2")
    made.overlays = (OVERLAY,)
    shutil.copytree(klein, made.folder / CHOSEN["latent"]["model"])
    return made


def test_the_graph_of_the_paper_s_scale_is_complete(untouched):
    """Nothing is trained for judges or latents: those are published."""
    once = dict.fromkeys(("shard", "reference", "fit_lift", "encode_latents", "prompts", "export", "publish"), 1)
    runs = {"train": 7, "sample": 7, "score": 14}
    assert untouched.stale(*TARGETS) == once | runs | {"caption": 2, "embed_captions": 2, "table": 2}


def test_each_table_has_its_arms_scored(finished):
    ablation, systems = (pd.read_csv(finished.folder / table).set_index("arm") for table in TABLES)
    assert list(ablation.index) == ["lifted", "asymflow_lpips"]
    assert list(systems.index[:2]) == ["latent_base", "asymflow_lpips"] and "AsymFLUX.2 klein" in systems.index
    for measured in (ablation, systems[:2]):
        assert measured[["fid_local", "patch_fid_local", "recall_local", "clip_local"]].notna().all(axis=None)


def test_the_untrained_arm_is_the_folder_s_model_lifted(finished, klein):
    model = load_model(finished.folder / RESULTS / "runs/lifted/seed0/model.safetensors")
    first = load_file(klein / "transformer/diffusion_pytorch_model.safetensors")["x_embedder.weight"]
    (fused,) = (value for name, value in model.weights.items() if "x_embedder" in name)
    torch.testing.assert_close(fused, first @ model.lift.A.T)
    torch.testing.assert_close(model.lift.A.T @ model.lift.A, torch.eye(16))


def test_the_exported_run_draws_the_same_images(finished):
    files = [
        finished.folder / name
        for name in ("workflow/config.yaml", "workflow/studies.yaml", "workflow/claims.yaml", *finished.overlays)
    ]
    settings = load(files, words=TARGETS).samplings["captions"]
    model, arm, lift = export.load(finished.folder / RUN / "diffusers", torch.float32)
    representation = arm.representation
    assert (representation.space, representation.colour, arm.training.shift) == ("pixel", "oklab", 17.0)
    rows = RowReader(finished.folder / RESULTS / "conditions/captions_flux2/prompts.json")
    hardware = Machine(torch.device("cpu"), torch.float32, False)
    run = Run(model, arm, hardware, Shapes(caption=rows.shapes["text"]), (), 64, (4, 4), 0, 8, lift)
    condition = request.shown(run, len(rows), **rows.read(range(len(rows))), empty=rows.shared["empty"])
    again = sample(run, noise(0, range(len(rows)), run.shape), condition, settings)
    drawn = np.load(finished.folder / RUN / "captions/samples.npy").astype(int)
    difference = np.abs(again.permute(0, 2, 3, 1).numpy() - drawn)
    assert difference.max() <= 1 and difference.mean() < 0.01, "rounding: merged adapters add up in another order"


def test_an_adapter_under_its_makers_names_over_the_same_folder_draws_the_same_images(finished):
    """What LakonLab publishes is the adapter alone; it comes in by itself, and goes through the model in the folder."""
    adapter = load_file(finished.folder / RUN / "published/asymflux2.safetensors")
    assert {
        "proj_buffer",
        "scale_buffer",
        "x_embedder.weight",
        "proj_out.weight",
        "norm_out.linear.weight",
    } < adapter.keys()
    assert not [name for name in adapter if "base_model" in name or "default" in name]
    shutil.copy(finished.folder / RUN / "published/asymflux2.safetensors", finished.folder / RELEASED["file"])
    result = finished.run(f"{THEIRS}captions/samples.npy")
    assert result.returncode == 0, result.stdout + result.stderr
    drawn = [np.load(finished.folder / run / "captions/samples.npy") for run in (RUN, THEIRS)]
    assert np.array_equal(*drawn)


def test_an_adapter_of_another_size_is_refused_in_a_sentence(finished):
    adapter = load_file(finished.folder / RUN / "published/asymflux2.safetensors")
    name = next(name for name in adapter if "lora_A" in name)
    save_file(adapter | {name: adapter[name][:1].contiguous()}, finished.folder / RELEASED["file"])
    result = finished.run(f"{THEIRS}model.safetensors")
    said = (finished.folder / f"{THEIRS}import_weights.log").read_text()
    assert result.returncode != 0 and "the arm's network has" in said and "Traceback" not in said


def test_nothing_is_to_be_done_afterwards(finished):
    assert finished.stale(*TARGETS) == {}


def test_a_model_that_is_not_there_stops_the_workflow_before_any_job(untouched):
    shutil.rmtree(untouched.folder / CHOSEN["latent"]["model"] / "text_encoder")
    result = untouched.run("-n", *TABLES)
    message = result.stdout + result.stderr
    assert result.returncode != 0
    assert f"latent.model is {CHOSEN['latent']['model']!r}, which lacks text_encoder/config.json; expected" in message
    assert "Traceback" not in message
