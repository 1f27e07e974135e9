"""Weights that others trained are a run like any other: imported, sampled, scored by published protocols, published again."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
import torch
from official import OfficialJit, randomise
from safetensors.torch import load_file, save_file

from asymflow import tensors
from asymflow.protocols.networks import TENSORFLOW_PORT

pytestmark = pytest.mark.slow  # a study of its own, made by the fixture

RELEASED = {"layout": "asymjit", "file": "models/theirs.safetensors", "source": "their page"}
ARM = {"base": "scratch", "network": {"width": 64}, "start": {"pca": 0, "released": RELEASED}}
CHANGES = {
    "protocols": {"adm": "models/reference.npz"},
    "arms": {
        "theirs": ARM,
        "absent": ARM | {"start": {"pca": 0, "released": RELEASED | {"file": "models/absent.pth"}}},
        "cut": ARM | {"start": {"pca": 0, "released": RELEASED | {"file": "models/cut.safetensors"}}},
    },
    "releases": {
        "theirs": {
            "arm": "theirs", "sampling": "guided", "protocol": "adm", "published": {"fid_adm": 100.0}, "source": "a paper"
        },
        "absent": {
            "arm": "absent", "sampling": "guided", "protocol": "t2i", "published": {"fid_t2i": 1.0}, "source": "a paper"
        },
    },
    "studies": {
        "protocols": {
            "title": "t", "source": "s", "arms": ["theirs"], "reference": "theirs", "samplings": ["guided"],
            "judges": ["distribution", "adm", "torch_fidelity", "t2i"],
        }
    },
}  # fmt: skip
TARGETS = ("results/smoke/released.csv", "results/smoke/protocols.csv", "results/smoke/runs/theirs/seed0/published")


@pytest.fixture(scope="module")
def work(copied, tmp_path_factory):
    """The finished project in which the released weights, a network and a reference lie in models/, after everything ran."""
    work = copied(tmp_path_factory.mktemp("released") / "copy")
    work.overlay(CHANGES)
    models = work.folder / "models"
    models.mkdir()
    network = randomise(OfficialJit(classes=10), seed=0)
    A = torch.linalg.qr(torch.randn(192, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)).Q
    state = {name: value.half() for name, value in network.state_dict().items()}
    save_file(
        state | {"proj_buffer": A.half().contiguous(), "scale_buffer": torch.tensor(1.0)}, models / "theirs.safetensors"
    )
    torch.save(_inception(), models / TENSORFLOW_PORT.name)
    digest = hashlib.sha256((models / TENSORFLOW_PORT.name).read_bytes()).hexdigest()
    work.edit("src/asymflow/metrics/inception.py", TENSORFLOW_PORT.sha256, digest)
    draws = np.random.default_rng(0)
    images = draws.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    np.savez(models / "reference.npz", mu=draws.random(2048), sigma=np.diag(draws.random(2048)), arr_0=images)
    done = work.run(*TARGETS)
    assert done.returncode == 0, done.stdout + done.stderr
    return work


def _inception():
    """Random weights of the published architecture."""
    from torch_fidelity import feature_extractor_inceptionv3 as theirs

    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(theirs.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        return theirs.FeatureExtractorInceptionV3("inception", ["2048"]).state_dict()


def test_the_run_says_where_it_comes_from(work):
    folder = work.folder / "results/smoke/runs/theirs/seed0"
    assert "mended" in (folder / "import_weights.log").read_text()
    description = tensors.describe(folder / "model.safetensors", "model")
    assert description["arm"]["start"]["released"]["layout"] == "asymjit" and len(description["classes"]) == 10
    assert json.loads((folder / "train.json").read_text())["seconds"] is None


def test_each_release_has_a_row_with_the_published_number_or_where_it_is_to_be_had(work):
    table = pd.read_csv(work.folder / "results/smoke/released.csv").set_index("release")
    own = table.loc["theirs"]
    assert own["difference_fid_adm"] == pytest.approx(own["fid_adm"] - 100, rel=1e-4) and own["samples"] == 48
    assert {"is_adm", "precision_adm", "recall_adm"} <= set(table.columns) and pd.isna(own["missing"])
    assert table.loc["absent", "missing"] == "models/absent.pth; get it from their page" and pd.isna(
        table.loc["absent", "fid_adm"]
    )


def test_one_set_of_samples_has_a_column_under_each_protocol(work):
    table = pd.read_csv(work.folder / "results/smoke/protocols.csv")
    numbers = {"fid_local", "fid_adm", "is_adm", "fid_torch_fidelity", "is_torch_fidelity", "fid_t2i"}
    assert numbers <= set(table.columns) and table[sorted(numbers)].notna().all(axis=None)
    assert len(table[["fid_local", "fid_adm", "fid_torch_fidelity"]].T.drop_duplicates()) == 3


def test_what_is_published_is_what_was_read_but_for_its_precision(work):
    folder = work.folder / "results/smoke/runs/theirs/seed0/published"
    again, theirs = load_file(folder / "asymjit.safetensors"), load_file(work.folder / "models/theirs.safetensors")
    assert again.keys() == theirs.keys()
    assert all(torch.equal(again[name], value.float()) for name, value in theirs.items() if name != "proj_buffer")
    assert (again["proj_buffer"] - theirs["proj_buffer"].float()).abs().max() < 1e-3, "its basis was mended"
    card = (folder / "README.md").read_text()
    assert "# theirs" in card and "| fid_local |" in card and "trained by others" in card and "None was named" in card
    assert json.loads((folder / "config.json").read_text())["image_size"] == 32


def test_nothing_is_left_to_do(work):
    assert not work.stale(*TARGETS)


def test_weights_that_are_cut_end_in_a_sentence_and_nothing_is_sampled(work):
    whole, run = load_file(work.folder / "models/theirs.safetensors"), work.folder / "results/smoke/runs/cut/seed0"
    state = {name: value for name, value in whole.items() if not name.startswith("blocks.3")}
    save_file(state, work.folder / "models/cut.safetensors")
    cut = work.run("results/smoke/runs/cut/seed0/guided/samples.npy")
    said = (run / "import_weights.log").read_text()
    assert cut.returncode != 0 and "lacks 14 of the tensors" in said and "Traceback" not in said
    assert not (run / "guided").exists()
