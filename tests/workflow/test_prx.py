"""prx-tg's studies: their graphs at every scale, and the smallest ones run from end to end."""

import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from asymflow.config.experiment import load, merge
from asymflow.models.cost import parameters
from asymflow.models.nanodit import build

RESULTS = "results/smoke/"
STUDIES = {
    "prx_arms": {"arms": ["prx_d", "prx_g"]},
    "prx_snapshots": {"samplings": ["prx_part2", "prx_part4"]},
    "data_sweep": {"arms": ["data250_rank8", "prx_d"]},
}
TABLES = [f"{RESULTS}{name}.csv" for name in STUDIES] + [f"{RESULTS}prx_arms_paired.csv"]
FIGURES = [
    *(f"{RESULTS}figures/{name}.png" for name in STUDIES),
    *(f"{RESULTS}figures/data_sweep_{shows}.png" for shows in ("curves", "progression", "neighbours", "samples")),
]


def jobs(folder, scale, *targets):
    """How many jobs of each rule the targets need at a scale."""
    overlay = ["--configfile", f"workflow/scales/{scale}.yaml"] if scale else []
    result = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", *targets, "--cores", "2", *overlay],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    table = re.search(r"-{3,} +-{3,}\n(.*?)\ntotal", result.stdout + result.stderr, re.DOTALL)
    return {rule: int(count) for rule, count in map(str.split, table[1].splitlines())}


def experiment(folder, scale):
    files = [folder / "workflow/config.yaml", folder / f"workflow/scales/{scale}.yaml"]
    return load(merge(*(yaml.safe_load(file.read_text()) for file in files)), files)


@pytest.fixture(scope="module")
def studied(project, tmp_path_factory):
    made = project(tmp_path_factory.mktemp("prx"))
    made.overlay({"studies": STUDIES})
    result = made.run(*TABLES, *FIGURES)
    assert result.returncode == 0, result.stdout + result.stderr
    return made


def test_configuration_alone_moves_the_study_to_the_published_scale(fresh):
    """Nothing is trained for judges there, and every arm has the published code's number of parameters."""
    found = jobs(fresh.folder, "prx_ffhq1024", "results/prx_ffhq1024/prx_arms.csv")
    once = dict.fromkeys(("shard", "reference", "suite", "floors", "table"), 1)
    assert found == once | {"embed": 2, "fit_subspace": 2} | dict.fromkeys(("train_prx", "sample_prx", "score_prx"), 10)
    chosen = experiment(fresh.folder, "prx_ffhq1024")
    assert chosen.data.image_size == 1024 and chosen.embeddings.text == "google-t5/t5-large"
    with torch.device("meta"):
        network = build(
            chosen.prx_arms["prx_d"].network, image_size=1024, text=1024, cls=1024, patches=1024, generator=None,
            checkpointing=False,
        )  # fmt: skip
        projector = torch.nn.Linear(network.width, 1024, bias=False)
    assert parameters(network) + parameters(projector) == 239_571_540


def test_the_published_protocol_is_an_overlay(fresh):
    chosen = experiment(fresh.folder, "prx_published")
    d, g = (chosen.prx_arms[name] for name in ("prx_d", "prx_g"))
    assert g.dead_target and not d.dead_target and g.target.basis == "identity"
    assert all(arm.training.ema == "stale" and arm.network.start == "xavier" for arm in (d, g))
    assert chosen.suite.split == "train" and not chosen.prx_samplings["self_guided"].paired
    found = jobs(fresh.folder, "prx_published", "results/prx_published/prx_arms.csv")
    assert found["train_prx"] == len(chosen.studies["prx_arms"].arms) == 4


def test_arms_differ_from_the_reference_in_one_factor(fresh):
    chosen = experiment(fresh.folder, "smoke")
    base = chosen.prx_arms["prx_d"].model_dump()
    factors = {"prx_e": "spatial", "prx_g": "target", "prx_g_identity": "target", "prx_u": "target",
               "prx_d_fading": "alignment", "prx_d_shared": "network", "prx_d_scan": "network", "prx_c": "alignment"}  # fmt: skip
    for name, factor in factors.items():
        own = chosen.prx_arms[name].model_dump()
        for values in (own, base):  # how many snapshots are kept changes no weight
            values["training"]["snapshots"] = 0
        assert [key for key in own if own[key] != base[key]] == [factor], name


@pytest.mark.slow
def test_each_arm_has_a_row_with_intervals_beside_the_published_numbers_and_the_floors(studied):
    table = pd.read_csv(studied.folder / RESULTS / "prx_arms.csv").set_index("arm")
    measured = table[table["seed"].notna()]
    assert list(measured.index) == ["prx_d", "prx_g"]
    for name in ("recon_lpips_local", "text_lpips_local", "edited_accuracy_local", "memorised_similarity_local"):
        assert (measured[f"{name}_low"] <= measured[name]).all() and (measured[name] <= measured[f"{name}_high"]).all()
    assert measured.loc["prx_d", "published_recon_lpips"] == 0.9267
    assert table.loc["floor: the image itself", "recon_lpips_local"] == 0
    paired = pd.read_csv(studied.folder / RESULTS / "prx_arms_paired.csv")
    assert set(paired["arm"]) == {"prx_d", "prx_g"} and (paired.query("arm == 'prx_d'")["difference"] == 0).all()


@pytest.mark.slow
def test_the_data_sweep_knows_how_many_images_each_arm_had(studied):
    table = pd.read_csv(studied.folder / RESULTS / "data_sweep.csv").set_index("arm")
    assert table.loc["data250_rank8", "set_images"] == 16 and table.loc["prx_d", "set_images"] == 96
    run = studied.folder / RESULTS / "runs/data250_rank8/seed0/bare"
    assert np.load(run / "neighbours.npy").shape[:2] == (8, 3)


@pytest.mark.slow
def test_nothing_is_left_to_do_and_another_sampling_trains_nothing(studied):
    assert studied.stale(*TABLES, *FIGURES) == {}
    studied.overlay({"studies": STUDIES, "prx_samplings": {"bare": {"steps": 3}}})
    stale = studied.stale(*TABLES, *FIGURES)
    assert "train_prx" not in stale and stale["sample_prx"] == 3
