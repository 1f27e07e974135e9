"""The studies of the paper's from-scratch results, at the smallest scale: what their tables hold, and what a change costs."""

import json

import pandas as pd
import pytest

pytestmark = pytest.mark.slow  # a study of its own, made by the fixture

RESULTS = "results/smoke/"
STUDIES = {
    "guidance": {"arms": ["rank8"], "reference": "rank8"},
    "convergence": {"samplings": ["part4", "part8"]},
    "pixel_comparison": {"arms": ["rank8", "rank8_repa"], "samplings": ["guided"]},
}
TARGETS = [f"{RESULTS}{name}.csv" for name in STUDIES] + [f"{RESULTS}convergence_speedup.csv"]
FIGURES = [f"{RESULTS}figures/{name}.png" for name in STUDIES]


@pytest.fixture(scope="module")
def studied(copied, tmp_path_factory):
    """The finished project with these studies done too."""
    project = copied(tmp_path_factory.mktemp("studied") / "copy")
    project.overlay({"studies": STUDIES})
    result = project.run(*TARGETS, *FIGURES)
    assert result.returncode == 0, result.stdout + result.stderr
    return project


def read(project, name):
    return pd.read_csv(project.folder / RESULTS / f"{name}.csv")


def test_the_searched_guidance_is_what_was_sampled_with_and_its_cost_is_told(studied):
    row = read(studied, "guidance").iloc[0]
    run = studied.folder / RESULTS / "runs/rank8/seed0/searched"
    optimum = json.loads((run / "guidance.json").read_text())["optimum"]
    assert row["guidance"] == "classifier_free"
    assert (row["guidance_scale"], row["interval_end"]) == (optimum["scale"], optimum["end"])
    assert row["published_guidance"] == 2.5 and row["search_evaluations"] > 0 and row["share_of_grid"] > 0


def test_snapshots_are_measured_at_the_images_they_had_seen(studied):
    table = read(studied, "convergence")
    assert sorted(set(table["images_seen"])) == [64, 128] and len(table) == 4
    speedup = read(studied, "convergence_speedup")
    assert list(speedup["seed"]) == ["0", "all"] and (speedup["share"] > 0).all()


def test_published_systems_stand_below_ours_with_costs_in_columns_apart(studied):
    table = read(studied, "pixel_comparison")
    measured, published = table[table["seed"].notna()], table[table["seed"].isna()]
    assert list(measured["arm"]) == ["rank8", "rank8_repa"] and len(published) == 17
    assert measured["parameters"].nunique() == 1, "the projector is not part of the model"
    assert published["fid_local"].isna().all() and measured["published_fid"].isna().all()
    assert (measured["gflops_per_image"] > 0).all()


def test_an_arm_is_judged_by_its_teacher_and_by_another_evaluator_whose_numbers_stand_beside(studied):
    table = read(studied, "pixel_comparison").dropna(subset="seed")
    assert (table["fid_second"] > 0).all() and (table["fid_second"] != table["fid_local"]).all()
    first, second = (studied.folder / RESULTS / "evaluator" / name for name in ("floor.json", "second/floor.json"))
    digests = {json.loads(path.read_text())["evaluator_digest"] for path in (first, second)}
    assert len(digests) == 2
    assert "seams_second" not in table and table.columns.get_loc("fid_second") < table.columns.get_loc("fid_local")


def test_nothing_is_left_to_do_and_another_guidance_trains_nothing(studied):
    assert studied.stale(*TARGETS, *FIGURES) == {}
    try:
        studied.overlay({"studies": STUDIES, "samplings": {"guided": {"guidance": {"scale": 2.0}}}})
        stale = studied.stale(*TARGETS)
    finally:
        studied.overlay({"studies": STUDIES})
    assert stale["sample"] == 2 and not {"train", "search_guidance", "fit_evaluator", "shard"} & stale.keys()
