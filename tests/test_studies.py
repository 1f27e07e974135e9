"""What the rules of studies and claims gather, and what their stages are told, asked of the default."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from project import DEFAULT

from asymflow.config.loading import load
from asymflow.descriptions import Descriptions
from asymflow.plan import Plan
from asymflow.report.study import Study
from asymflow.studies import Studies


def described(experiment):
    return Descriptions(Plan(experiment), Studies(experiment))


EXPERIMENT = load(DEFAULT)
STUDIES, TOLD = Studies(EXPERIMENT), described(EXPERIMENT)


def test_a_study_has_the_runs_of_its_arms_seeds_and_settings_once():
    files = STUDIES.runs("network_start", "summary", "sampled")
    assert len(files) == len(set(files)) == 4 * 3 * 2
    assert "results/runs/prx_g_pca/seed2/bare/samples.json" in files


def test_only_searched_settings_have_searches_in_a_table():
    assert len(STUDIES.runs("guidance", "guidance")) == 7
    assert STUDIES.runs("rank_sweep", "guidance") == []


def test_a_stage_is_told_its_study_field_by_field_and_where_its_files_lie():
    study = Study.parse(TOLD.study(SimpleNamespace(study="networks"), "summary"))
    assert study.seeds == [0, 1, 2] and study.judges == ["distribution"] and study.reference == "rank8"
    assert study.arms["nanodit_rank0"]["network.kind"] == "nanodit"
    assert study.arms["rank8"]["conditions.shown"] == "0.1 nothing, 0.9 class"
    assert "0.1 caption + embedding + patches" in study.arms["jit_informed_rank8"]["conditions.shown"]
    assert study.path("summary", "rank8", 2) == Path("results/runs/rank8/seed2/train.json")
    with pytest.raises(KeyError, match="sampled"):
        study.path("sampled", "rank8", 2, "own")


def test_subspaces_of_arms_are_told_to_the_figure_that_shows_them_alone():
    assert len(Study.parse(TOLD.drawn(SimpleNamespace(study="subspace_sweep"))).bases) == 5
    assert Study.parse(TOLD.drawn(SimpleNamespace(study="rank_sweep"))).bases == {}


@pytest.mark.parametrize(("look", "seeds"), [(0, 3), (1, 5), (2, 8)])
def test_a_look_at_a_claim_takes_the_cards_of_its_runs_for_its_seeds(look, seeds):
    where = SimpleNamespace(claim="clamp", look=str(look))
    files = STUDIES.look(where)
    runs = {(arm, s) for arm in ("rank8", "rank0") for s in ("fine", "fine_unclamped")}
    expected = {
        f"results/runs/{arm}/seed{seed}/{path}"
        for arm, setting in runs
        for seed in range(seeds)
        for path in ("train.json", f"{setting}/samples.json", f"{setting}/distribution.json")
    }
    assert set(files) == expected
    study = Study.parse(TOLD.look(where))
    assert study.seeds == list(range(seeds)) and set(study.arms) == {"rank0", "rank8"}
    assert study.judges == ["distribution"] and study.name == "clamp"


def test_a_study_is_shown_by_what_its_judges_and_its_figure_make():
    assert STUDIES.shown("rank_sweep") == {
        "tables": {"table": "results/rank_sweep.csv", "summary": "results/rank_sweep_summary.csv"},
        "pictures": {
            "figure": "results/figures/rank_sweep.svg",
            "samples": "results/figures/rank_sweep_samples.png",
        },
        "pages": {"compare": "results/figures/rank_sweep_compare.html"},
    }
    assert STUDIES.shown("convergence")["tables"]["speedup"] == "results/convergence_speedup.csv"
    assert STUDIES.shown("error_by_noise")["pictures"]["velocity"] == "results/figures/error_by_noise_velocity.svg"
    assert {"crops"} < set(STUDIES.shown("finetune_ablation")["pictures"])
    assert {"curves", "progression", "nearest_images"} < set(STUDIES.shown("data_sweep")["pictures"])


def test_the_supplement_shows_the_studies_that_are_listed_and_claims_where_they_are_wanted(tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(yaml.safe_dump({"supplement": {"studies": ["colour", "rank_sweep"], "claims": True}}))
    some = load([*DEFAULT, overlay])
    told = json.loads(described(some).supplement)
    assert [Study.parse(shown["study"]).name for shown in told["studies"]] == ["colour", "rank_sweep"]
    assert told["claims"] == "results/claims.csv" == Studies(some).supplement_files()[0]
    assert told["studies"][1]["source"] == "Asymmetric Flow Models, Fig. 5"
    every = json.loads(TOLD.supplement)
    assert len(every["studies"]) == len(EXPERIMENT.studies) and every["claims"] is None
    assert "results/claims.csv" not in STUDIES.supplement_files()
