"""What rules take, asked of the plan of the default and of small experiments."""

import importlib.util
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest
import yaml
from project import DEFAULT

from asymflow import parts
from asymflow.config.embeddings import Embeddings
from asymflow.config.loading import load
from asymflow.config.study import Judge
from asymflow.descriptions import flat
from asymflow.plan import TEMPLATES, Plan

PLAN = Plan(load(DEFAULT))


def wildcards(arm="rank8", seed=0, sampling="unguided", **more):
    return SimpleNamespace(arm=arm, seed=seed, sampling=sampling, **more)


@pytest.fixture
def plan(tmp_path):
    """plan(differences) -> the plan of the default with an overlay."""

    def made(overlay, *words):
        path = tmp_path / "overlay.yaml"
        path.write_text(yaml.safe_dump(overlay))
        return Plan(load([*DEFAULT, path], words=words))

    return made


def given(inputs):
    """The inputs that are files."""
    return {name: value for name, value in inputs.items() if value != []}


@pytest.mark.parametrize(
    ("arm", "expected"),
    [
        ("rank8", {"subspace": "subspace/pca_rgb_p8", "pca": "subspace/pca_rgb_p8"}),
        ("rank8_start0", {"subspace": "subspace/pca_rgb_p8"}),
        ("rank8_oklab", {"subspace": "subspace/pca_oklab_p8", "pca": "subspace/pca_oklab_p8"}),
        ("dct8", {"subspace": "subspace/dct_rgb_p8", "pca": "subspace/pca_rgb_p8"}),
        (
            "rank8_repa",
            {"subspace": "subspace/pca_rgb_p8", "pca": "subspace/pca_rgb_p8", "evaluator": "evaluator/local"},
        ),
        (
            "nanodit_informed_rank8",
            {
                "subspace": "subspace/pca_rgb_p8",
                "pca": "subspace/pca_rgb_p8",
                "captions": "conditions/captions_local/train",
                "images": "conditions/images_p8/train",
            },
        ),
        (
            "prx_d",
            {
                "subspace": "subspace/pca_rgb_p8",
                "captions": "conditions/captions_local/train",
                "images": "conditions/images_p8/train",
            },
        ),
        (
            "latent_base",
            {
                "lift": "latent/lift_oklab_p8",
                "captions": "conditions/captions_local/train",
                "latents": "latent/p8/train",
            },
        ),
        (
            "asymflow_lpips",
            {
                "lift": "latent/lift_oklab_p8",
                "captions": "conditions/captions_local/train",
                "latents": "latent/p8/train",
                "start": "runs/latent_base/seed3/model",
                "perceptual": "evaluator/perceptual",
            },
        ),
    ],
)
def test_an_arm_is_trained_from_what_it_uses_and_nothing_else(arm, expected):
    inputs = given(PLAN.train(wildcards(arm, seed=3)))
    assert {name: Path(path).with_suffix("") for name, path in inputs.items()} == {
        name: Path("results", path) for name, path in ({"data": "data/train"} | expected).items()
    }


def test_an_adapted_run_is_loaded_with_what_it_was_adapted_from():
    assert PLAN.model(wildcards("asymflow", 1))["start"] == "results/runs/latent_base/seed1/model.safetensors"
    assert PLAN.model(wildcards("latent_base", 1))["start"] == []
    assert PLAN.model(wildcards("rank8", 1))["start"] == []


def test_a_latent_run_is_loaded_with_what_makes_pixels_of_it():
    assert PLAN.model(wildcards("latent_base"))["latents"] == "results/latent/autoencoder.safetensors"
    assert PLAN.model(wildcards("asymflow"))["latents"] == []


@pytest.mark.parametrize(
    ("arm", "evaluator", "perceptual"),
    [
        ("rank8", False, False),
        ("aux_rank8", False, False),
        ("aux_repa_rank8", True, False),
        ("aux_masked_rank8", True, False),
        ("aux_spatial_rank8", True, False),
        ("aux_lpips_rank8", False, True),
        ("aux_pixelgen_rank8", True, True),
        ("asymflow_lpips", False, True),
        ("prx_d", False, False),
    ],
)
def test_a_training_takes_the_networks_that_its_losses_look_through(arm, evaluator, perceptual):
    taken = PLAN.train(wildcards(arm))
    assert taken["evaluator"] == ("results/evaluator/local.safetensors" if evaluator else [])
    assert taken["perceptual"] == ("results/evaluator/perceptual.safetensors" if perceptual else [])


def test_no_loss_of_the_auxiliary_losses_sees_what_decides_between_them():
    """The second judge is another network than the teacher's and than that of the perceptual distance."""
    study = PLAN.experiment.studies["auxiliary"]
    assert study.judges[0] == "second", "what the first judge measures is drawn"
    seen = {PLAN.train(wildcards(arm))[name] or None for arm in study.arms for name in ("evaluator", "perceptual")}
    decides = PLAN.score(wildcards("aux_rank0", sampling="part8", judge="second"))["evaluator"]
    assert decides not in seen and seen - {None} == {PLAN.paths.evaluator, PLAN.paths.perceptual}


@pytest.mark.parametrize(
    ("arm", "sampling", "asked"),
    [
        ("rank8", "unguided", []),
        ("asymflow", "captions", "results/conditions/captions_local/prompts.json"),
        ("jit_captioned_rank8", "own", "results/conditions/captions_local/prompts.json"),
        ("prx_d", "bare", "results/conditions/images_p8/suite.safetensors"),
    ],
)
def test_a_sampling_takes_what_it_asks_for(arm, sampling, asked):
    assert PLAN.sample(wildcards(arm, sampling=sampling))["asked"] == asked


def test_only_a_searched_setting_takes_a_search_and_only_a_snapshot_the_snapshots():
    searched, part = (
        PLAN.sample(wildcards(*names)) for names in (("rank8", 0, "searched"), ("rank8_steady", 0, "part2"))
    )
    assert searched["guidance"] == "results/runs/rank8/seed0/searched/guidance.json"
    assert part["guidance"] == [] and part["model"] == "results/runs/rank8_steady/seed0/snapshots"


@pytest.mark.parametrize(
    ("judge", "arm", "sampling", "more"),
    [
        ("distribution", "rank8", "unguided", set()),
        ("second", "rank8_repa", "unguided", set()),
        ("captions", "asymflow", "captions", {"prompts"}),
        ("suite", "prx_d", "bare", {"suite", "perceptual"}),
        ("memorisation", "prx_d", "bare", {"suite", "train", "heldout", "perceptual"}),
        ("memorisation", "rank8", "unguided", {"train", "heldout", "perceptual"}),
    ],
)
def test_a_judge_takes_what_it_compares_with(judge, arm, sampling, more):
    inputs = given(PLAN.score(wildcards(arm, sampling=sampling, judge=judge)))
    assert set(inputs) == {"samples", "summary", "evaluator", "reference"} | more


TOLD = {  # what a stage is told of the section of embeddings, and which of its keys change that
    "captions of the training split": (
        lambda made: made.embeddings_of(wildcards(reader="t5", split="train")), {"text", "text_length", "keep_captions"}
    ),
    "other captions": (lambda made: made.embeddings_of(wildcards(reader="t5", split="heldout")), {"text", "text_length"}),
    "captions by the local tower": (lambda made: made.embeddings_of(wildcards(reader="local", split="heldout")), set()),
    "images": (lambda made: made.section("embeddings", {"image"}), {"image"}),
    "the suite": (lambda made: made.suite_embeddings, {"text", "text_length"}),
}  # fmt: skip


@pytest.mark.parametrize(("told", "keys"), TOLD.values(), ids=TOLD)
def test_a_stage_is_told_what_it_reads_of_the_embeddings_and_nothing_else(plan, told, keys):
    published = {"text": "models/t5", "image": "models/dinov3", "text_length": 512, "keep_captions": True}
    other = {"text": "models/other", "image": "models/other", "text_length": 64, "keep_captions": False}
    before = told(plan({"embeddings": published}))
    Embeddings.model_validate_json(before)
    assert {key for key in other if told(plan({"embeddings": published | {key: other[key]}})) != before} == keys


READS = re.compile(r"suite_config\.(\w+)")


@pytest.mark.parametrize("judge", get_args(Judge))
def test_a_judge_is_told_what_it_reads_of_the_suite_s_section_and_nothing_else(judge):
    module = importlib.util.find_spec(parts.judge(judge)).origin
    assert set(json.loads(PLAN.suite_of(wildcards(judge=judge)))) == set(READS.findall(Path(module).read_text("utf-8")))


def test_only_the_cases_of_the_suite_know_how_many_edits_there_are(plan):
    other = plan({"suite": {"edits": 3}})
    assert all(PLAN.suite_of(wildcards(judge=j)) == other.suite_of(wildcards(judge=j)) for j in get_args(Judge))
    assert PLAN.section("suite") != other.section("suite")


def test_the_second_judge_looks_with_an_evaluator_of_another_seed_and_nothing_else_that_differs():
    first, second = (
        PLAN.score(wildcards("rank8_repa", sampling="unguided", judge=j)) for j in ("distribution", "second")
    )
    assert second["evaluator"] == "results/evaluator/second/local.safetensors"
    assert second["reference"] == "results/evaluator/second/reference.safetensors"
    assert first["evaluator"] == PLAN.evaluator_file_of(wildcards(second=""))
    one, other = (json.loads(PLAN.evaluator_of(wildcards(second=which))) for which in ("", "second/"))
    assert {name for name in one if one[name] != other[name]} == {"seed"}
    assert PLAN.train(wildcards("rank8_repa"))["evaluator"] == first["evaluator"], "the first is the teacher"


def test_the_published_evaluators_are_no_files_of_the_workflow(plan):
    made = plan({"evaluators": "pretrained"})
    assert made.evaluator_file == made.perceptual_file == []
    assert made.score(wildcards(judge="distribution"))["evaluator"] == []


def test_an_option_that_is_not_given_is_not_among_the_parameters_of_an_arm():
    assert "adapter" not in PLAN.arm(wildcards("rank8")) and "micro_batch" not in PLAN.arm(wildcards("rank8"))
    assert '"adapter"' in PLAN.arm(wildcards("asymflow"))


def test_an_arm_that_others_begin_with_gets_two_cores():
    assert PLAN.train_threads(wildcards("latent_base")) == 2 and PLAN.train_threads(wildcards("asymflow")) == 1


def test_captions_are_read_by_what_the_network_wants(plan):
    flux2 = plan({"latent": {"model": "models/flux2"}, "bases": {"text": {"start": {"run": None}}}})
    arms = flux2.experiment.arms
    assert flux2.reader_of(arms["latent_base"]) == "flux2" and flux2.reader_of(arms["prx_d"]) == "local"
    assert flux2.folder_of(wildcards("latent_base")) == "models/flux2" and flux2.folder_of(wildcards("rank8")) == ""
    assert plan({"embeddings": {"text": "models/t5", "image": "models/dinov3"}}).reader == "t5"


def test_names_are_patterns_and_no_names_match_nothing():
    assert re.fullmatch(PLAN.names("arms"), "rank8") and not re.fullmatch(PLAN.names("arms"), "rank9")


def test_flat_has_one_level_of_dotted_keys():
    assert flat({"a": {"b": 1, "c": {"d": None}}, "e": []}) == {"a.b": 1, "a.c.d": None, "e": []}


def test_a_velocity_is_compared_on_what_its_run_is_told():
    expected = {"model", "summary", "heldout", "basis"}
    assert set(given(PLAN.velocity(wildcards()))) == expected
    assert set(given(PLAN.velocity(wildcards("prx_d", sampling="bare")))) == expected | {"captions", "images"}
    snapshots = PLAN.velocity(wildcards("rank8_steady", sampling="part3"))["model"]
    assert snapshots == "results/runs/rank8_steady/seed0/snapshots"


CLAIMED = {"title": "a", "arms": ["rank8"], "reference": "rank8", "samplings": ["guided"]}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"claims": {"clamp": {"holds_if": "rank9@fine < rank0@fine"}}}, "claim 'clamp' compares the arm 'rank9'"),
        ({"claims": {"clamp": {"holds_if": "rank8@fin < rank0@fine"}}}, "the sampling setting 'fin', which is not"),
        ({"claims": {"clamp": {"holds_if": "rank8"}}}, "claim 'clamp'"),
        ({"claims": {"clamp": {"smallest": 0}}}, "claim 'clamp', key smallest"),
        ({"claims": {"clamp": {"judge": "suite"}}}, "the judge 'suite' looks at cases"),
        ({"claims": {"clamp": {"judge": "coupling"}}}, "the judge 'coupling' looks at lifted arms"),
        ({"decision": {"looks": [5, 3]}}, "rising numbers of seeds"),
        ({"studies": {"claims": CLAIMED}}, "study 'claims' would have files that are made of no study"),
        ({"studies": {"finetune_ablation": {"judges": ["distribution", "velocity"]}}}, "the arm works on latents"),
    ],
)  # fmt: skip
def test_a_claim_or_measure_that_cannot_be_had_is_refused(plan, changes, expected):
    with pytest.raises(ValueError, match=re.escape(expected)):
        plan(changes, "results/finetune_ablation.csv", "results/claims.csv")


def test_the_templates_of_a_page_are_among_its_parameters_and_those_of_others_are_not(monkeypatch, tmp_path):
    shutil.copytree(TEMPLATES, tmp_path / "templates")
    monkeypatch.setattr("asymflow.plan.TEMPLATES", tmp_path / "templates")
    before = [PLAN.templates(page) for page in ("supplement", "compare")]
    (tmp_path / "templates/compare.js").write_text("other")
    after = [PLAN.templates(page) for page in ("supplement", "compare")]
    assert after[0] == before[0] and after[1] != before[1]
    (tmp_path / "templates/base.css").write_text("other")
    assert PLAN.templates("supplement") != before[0]


def test_claims_count_only_where_they_are_asked_for(tmp_path):
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(yaml.safe_dump({"claims": {"clamp": {"holds_if": "rank9@fine < rank0@fine"}}}))
    for words in (["results/rank_sweep.csv"], []):
        load([*DEFAULT, overlay], words=words)
    for target in ("results/claims.csv", "results/claims/clamp.json"):
        with pytest.raises(ValueError, match="compares the arm 'rank9'"):
            load([*DEFAULT, overlay], words=[target])


@pytest.mark.parametrize(
    ("file", "listed"),
    [
        ("data/train.json", ["data/train.samples.npy", "data/train"]),
        ("data/{split}.json", ["data/{split}.samples.npy", "data/{split}"]),
        ("conditions/captions_flux2/prompts.json", ["conditions/captions_flux2/prompts"]),
        ("conditions/images_p16/{split}.json", ["conditions/images_p16/{split}"]),
        ("latent/p16/train.json", ["latent/p16/train"]),
        ("data/prompts.json", []),
        ("conditions/images_p16/suite.safetensors", []),
        ("latent/autoencoder.safetensors", []),
        ("runs/rank8/seed0/train.json", []),
    ],
)
def test_an_index_lists_the_folder_of_its_name_and_other_files_list_nothing(file, listed):
    for results in ("results", "<results>"):
        assert PLAN.paths.listed(f"{results}/{file}") == [f"{results}/{other}" for other in listed]


def test_a_run_is_published_with_the_scores_of_its_finished_model_alone():
    """Snapshots are other models."""
    assert PLAN.publish(wildcards("rank8_steady"))["cards"] == []
    published = PLAN.publish(wildcards("rank8"))
    assert len(published["cards"]) == len(published["sampled"]) == 2
    assert PLAN.publish(wildcards("rank8", seed=7))["cards"] == []
