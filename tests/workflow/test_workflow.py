"""The workflow as a user meets it: a run from end to end, what an edit makes stale, and errors before any job starts.

Everything happens in a copy of the project, so that files can be edited and results be thrown away.
"""

import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from board import grids
from PIL import Image

TABLE = "results/smoke/rank_sweep.csv"
FIGURE = "results/smoke/figures/rank_sweep.png"


def test_the_smallest_study_gives_its_table_and_figure(finished):
    table = pd.read_csv(finished.folder / TABLE)
    assert list(table["arm"]) == ["rank0", "rank8"]
    assert table.filter(like="_local").notna().all(axis=None)
    assert (finished.folder / FIGURE).stat().st_size > 10_000
    assert not {"fid", "kid", "is"} & set(table.columns), "local evaluators must not bear published names"


def test_a_split_of_nothing_is_made_too(fresh):
    """Scales with a published evaluator keep no images for one of our own."""
    fresh.overlay({"data": {"train": 4, "evaluator": 0, "heldout": 2}})
    result = fresh.run("results/smoke/data/train.json")
    assert result.returncode == 0, result.stdout + result.stderr
    assert not list((fresh.folder / "results/smoke/data/evaluator").glob("*.tar"))


def test_published_settings_stand_in_columns_of_their_own(finished):
    table = pd.read_csv(finished.folder / TABLE).set_index("arm")
    assert table.loc["rank0", "published_guidance"] == 2.7
    assert "Table 5" in table.loc["rank8", "published_source"]


def test_nothing_is_to_be_done_afterwards(finished):
    assert finished.stale(TABLE, FIGURE) == {}


def test_a_comment_makes_nothing_stale(edited):
    edited.edit("src/asymflow/flow/asymmetric.py", "import torch\n", "import torch  # a remark\n")
    assert edited.stale(TABLE, FIGURE) == {}


def test_an_edit_of_a_formula_makes_stale_what_uses_it(edited):
    edited.edit("src/asymflow/flow/asymmetric.py", "project(eps, A) - x_0 / s", "project(eps, A) - x_0 / (1.0 * s)")
    assert edited.stale(TABLE, FIGURE) == {"train": 2, "sample": 2, "score": 2, "table": 1, "figure": 1}


def test_an_edit_of_the_solver_trains_nothing(edited):
    edited.edit("src/asymflow/flow/solver.py", "(slope + corrected) / 2", "0.5 * (slope + corrected)")
    assert edited.stale(TABLE, FIGURE) == {"sample": 2, "score": 2, "table": 1, "figure": 1}


def test_an_edit_of_the_pca_makes_everything_after_it_stale(edited):
    edited.edit("src/asymflow/subspace/bases.py", "count += len(patches)", "count = count + len(patches)")
    jobs = edited.stale(TABLE, FIGURE)
    assert jobs["fit_subspace"] == 1 and jobs["train"] == 2 and "shard" not in jobs and "fit_evaluator" not in jobs


def test_an_edit_of_a_plot_only_draws(edited):
    edited.edit("src/asymflow/report/figures.py", "capsize=3", "capsize=4")
    assert edited.stale(TABLE, FIGURE) == {"figure": 1}


def test_a_change_of_one_arm_trains_that_arm(edited):
    edited.overlay({"arms": {"rank0": {"training": {"lr": 3e-3}}}})
    assert edited.stale(TABLE, FIGURE)["train"] == 1
    edited.overlay({})
    assert edited.stale(TABLE, FIGURE) == {}


@pytest.mark.slow
def test_an_arm_in_another_colour_space_has_a_subspace_of_its_own(edited):
    edited.overlay({"arms": {"rank0": {"representation": {"colour": "oklab"}}}})
    jobs = edited.stale(TABLE, FIGURE)
    assert jobs["fit_subspace"] == 1 and jobs["train"] == 1 and "fit_evaluator" not in jobs


def test_a_change_of_a_sampling_field_trains_nothing(edited):
    edited.overlay({"samplings": {"guided": {"guidance": {"scale": 2.0}}}})
    assert edited.stale(TABLE, FIGURE) == {"sample": 2, "score": 2, "table": 1, "figure": 1}


def test_trainings_show_grids_of_samples_whose_number_makes_nothing_stale(edited):
    assert len(grids(edited.folder / "results/smoke/runs/rank8/seed0")) == 4
    edited.overlay({"previews": 0})
    assert edited.stale(TABLE, FIGURE) == {}


def test_another_seed_trains_only_itself(edited):
    edited.overlay({"seeds": 2})
    assert edited.stale(TABLE, FIGURE)["train"] == 2


def test_swapped_values_are_noticed(edited):
    """Snakemake compares parameters as a set, in which two swapped values look the same; one JSON string does not."""
    edited.overlay({"bases": {"scratch": {"training": {"betas": [0.95, 0.9]}}}})
    assert edited.stale(TABLE, FIGURE)["train"] == 2


def test_a_mistake_stops_the_workflow_before_any_job_and_is_one_clear_sentence(edited):
    edited.overlay({"arms": {"rank0": {"target": {"rnak": 4}}}})
    result = edited.run("-n", TABLE)
    message = result.stdout + result.stderr
    assert result.returncode != 0
    assert "changes.yaml: arm 'rank0', key target.rnak: unknown key 'rnak'; did you mean 'rank'?" in message
    assert "Traceback" not in message


@pytest.mark.slow
@pytest.mark.parametrize("target", ["results/rank_sweep.csv", "results/init_control.csv", "all"])
def test_every_target_of_the_default_has_a_complete_graph_without_flags(target, fresh):
    result = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", target],
        cwd=fresh.folder,
        env=os.environ | {"PYTHONPATH": str(fresh.folder / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"^train +[1-9]", result.stdout + result.stderr, re.MULTILINE)


# ----- paths as people write them, and other places to run from -----


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [
        "shards/shard-{0000..0003}.tar",
        "shards/{a,b}.tar",
        "shards/{name}.tar",
        "http://127.0.0.1:9/{00..03}.tar",
        "s3://bucket/{00..03}.tar",
    ],
)
def test_braces_in_a_path_are_not_taken_for_wildcards(tmp_path, project, path):
    copy = project(tmp_path)
    copy.overlay({"data": {"source": "webdataset", "path": path, "image_size": 32, "train": None}})
    result = copy.run("-n", "results/smoke/rank_sweep.csv")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_it_runs_from_another_folder(tmp_path, project):
    copy, elsewhere = project(tmp_path / "project"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    overlays = [str(copy.folder / name) for name in copy.overlays]
    target = "results/smoke/system_comparison.csv"  # published numbers are found beside the Snakefile
    for place in (["--snakefile", str(copy.folder / "Snakefile")], ["--directory", str(elsewhere)]):
        command = [sys.executable, "-m", "snakemake", *place, "-n", target, "--cores", "1", "--configfile", *overlays]
        where = elsewhere if "--snakefile" in place else copy.folder
        environment = os.environ | {"PYTHONPATH": str(copy.folder / "src")}
        result = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_the_lock_of_a_dead_snakemake_is_no_obstacle(tmp_path, project):
    copy = project(tmp_path)
    locks = copy.folder / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("results/smoke/figures/data.png\n")
    result = copy.run("results/smoke/figures/data.png")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "a Snakemake that worked here has died" in result.stderr


@pytest.mark.slow
def test_images_that_changed_are_sharded_again(tmp_path, project):
    copy, photos = project(tmp_path), tmp_path / "photos"
    for i in range(12):
        (photos / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((32, 32, 3), 20 * i, np.uint8)).save(photos / "ab"[i % 2] / f"{i}.png")
    copy.overlay(
        {"data": {"source": "folder", "path": "photos", "image_size": 32, "train": 8, "evaluator": 2, "heldout": 1}}
    )
    target = "results/smoke/figures/data.png"
    result = copy.run(target)
    assert result.returncode == 0, result.stdout + result.stderr
    assert copy.stale(target) == {}
    Image.fromarray(np.full((32, 32, 3), 255, np.uint8)).save(photos / "a" / "new.png")
    assert "shard" in copy.stale(target)


def test_a_contradiction_of_a_study_that_nobody_asked_for_is_no_obstacle(tmp_path, project):
    copy = project(tmp_path)
    copy.overlay({"arms": {"wide": {"base": "scratch", "representation": {"patch_size": 12}}}})
    assert copy.run("-n", "results/smoke/rank_sweep.csv").returncode == 0
    result = copy.run("-n", "results/smoke/runs/wide/seed0/model.safetensors")
    assert result.returncode == 1 and "arm 'wide', key representation.patch_size" in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr
