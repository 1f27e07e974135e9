"""The workflow as a user meets it: a run from end to end, what an edit makes stale, and errors before any job starts.

Everything happens in a copy of the project, so that files can be edited and results be thrown away.
"""

import os
import re
import subprocess
import sys

import pandas as pd
import pytest

TABLE = "results/smoke/rank_sweep.csv"
FIGURE = "results/smoke/figures/rank_sweep.png"


def test_the_smallest_study_gives_its_table_and_figure(finished):
    table = pd.read_csv(finished.folder / TABLE)
    assert list(table["arm"]) == ["rank0", "rank8"]
    assert table.filter(like="_local").notna().all(axis=None)
    assert (finished.folder / FIGURE).stat().st_size > 10_000
    assert not {"fid", "kid", "inception_score"} & set(table.columns), "local evaluators must not bear published names"


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


def test_an_arm_in_another_colour_space_has_a_subspace_of_its_own(edited):
    edited.overlay({"arms": {"rank0": {"representation": {"colour": "oklab"}}}})
    jobs = edited.stale(TABLE, FIGURE)
    assert jobs["fit_subspace"] == 1 and jobs["train"] == 1 and "fit_evaluator" not in jobs


def test_a_change_of_a_sampling_field_trains_nothing(edited):
    edited.overlay({"samplings": {"guided": {"guidance": {"scale": 3.0}}}})
    assert edited.stale(TABLE, FIGURE) == {"sample": 2, "score": 2, "table": 1, "figure": 1}


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
