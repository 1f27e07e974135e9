"""What tables and figures are told of their study."""

import dataclasses
import json
from pathlib import Path

import pytest

from asymflow import documents
from asymflow.report.study import Study, configuration_checksum

TOLD = {
    "name": "rank",
    "title": "Which rank?",
    "reference": "rank0",
    "figure": "rank",
    "judges": ["distribution", "suite"],
    "seeds": [3, 4],
    "arms": {"rank8": {"target.rank": 8}, "rank0": {"target.rank": 0}},
    "samplings": {"bare": {"guidance.kind": "none"}, "found": {"guidance.kind": "searched"}},
    "files": {"summary": "out/{arm}/seed{seed}/train.json", "samples": "out/{arm}/seed{seed}/{sampling}/samples.npy"},
    "configurations": {"rank8": "1", "rank0": "2"},
    "bases": {"rank8": "subspace/pca.safetensors"},
}


@pytest.fixture
def study():
    return Study.parse(json.dumps(TOLD))


def test_a_study_is_what_its_text_says_in_the_same_order(study):
    assert dataclasses.asdict(study) == TOLD | {"root": Path()}
    assert list(study.arms) == ["rank8", "rank0"] and list(study.samplings) == ["bare", "found"]


@pytest.mark.parametrize("description", [{k: v for k, v in TOLD.items() if k != "files"}, TOLD | {"results": "out"}])
def test_a_text_that_lacks_something_or_says_more_is_refused(description):
    with pytest.raises(TypeError, match=r"files|results"):
        Study.parse(json.dumps(description))


def test_a_file_lies_where_its_rule_says(study):
    assert study.path("summary", "rank8", 3) == Path("out/rank8/seed3/train.json")
    assert study.path("samples", "rank0", 4, "found") == Path("out/rank0/seed4/found/samples.npy")


def test_files_of_a_study_lie_below_the_folder_that_holds_the_results(study):
    moved = Study.parse(json.dumps(TOLD), Path(".snakemake/storage/s3/bucket"))
    assert moved.path("summary", "rank8", 3) == Path(".snakemake/storage/s3/bucket/out/rank8/seed3/train.json")
    assert {arm: moved.basis(arm) for arm in moved.bases} == {arm: moved.root / at for arm, at in study.bases.items()}


@pytest.mark.parametrize("file", ["suite", "train.json", ""])
def test_a_file_that_no_rule_declared_is_an_error(study, file):
    with pytest.raises(KeyError, match=f"'{file}'"):
        study.path(file, "rank8", 3, "bare")


def test_every_arm_has_a_file_of_its_first_run(study):
    assert study.first_seed("samples", "bare") == {
        "rank8": Path("out/rank8/seed3/bare/samples.npy"),
        "rank0": Path("out/rank0/seed3/bare/samples.npy"),
    }


def test_the_first_setting_is_compared_with_and_the_last_one_is_shown(study):
    assert (study.first_sampling, study.last_sampling) == ("bare", "found")


def test_only_a_setting_that_asks_for_it_is_searched(study):
    assert not study.searched("bare") and study.searched("found")


# ----- whether files of a run belong together -----


@pytest.fixture
def run(tmp_path):
    """A study of one run with all its files, and what they say."""
    files = {
        name: f"{tmp_path}/{{arm}}/{{seed}}/{{sampling}}/{name}.json"
        for name in ("summary", "sampled", "score", "guidance")
    }
    study = Study.parse(
        json.dumps(TOLD | {"files": files, "configurations": {"rank8": configuration_checksum("eight")}})
    )
    trained = {"identity": {"configuration": "eight", "seed": "3"}, "model": "m", "snapshots": {"1": "s"}}
    for name, kind, content in (
        ("summary", "training", trained), ("sampled", "sampling", {"model": "m", "file": "f"}), ("score", "score", {"file": "f"}),
        ("guidance", "guidance", {"model": "m"}),
    ):  # fmt: skip
        documents.write(study.path(name, "rank8", 3, "" if name == "summary" else "bare"), kind, content)
    return study


def read_all(study):
    trained = study.trained("rank8", 3)
    sampled = study.sampled("rank8", 3, "bare", trained)
    return study.score("score", "rank8", 3, "bare", sampled), study.search("rank8", 3, "bare", trained)


def test_files_of_one_run_are_read(run):
    read_all(run)


@pytest.mark.parametrize(
    ("name", "kind", "content", "sentence"),
    [
        ("summary", "training", {"identity": {"configuration": "nought", "seed": "3"}}, "is of another arm or seed"),
        ("summary", "training", {"identity": {"configuration": "eight", "seed": "4"}}, "is of another arm or seed"),
        ("sampled", "sampling", {"model": "other", "file": "f"}, "is of other weights than"),
        ("score", "score", {"file": "other"}, "is of other samples than"),
        ("guidance", "guidance", {"model": "other"}, "is of other weights than"),
    ],
)  # fmt: skip
def test_a_file_of_another_run_is_refused(run, name, kind, content, sentence):
    documents.write(run.path(name, "rank8", 3, "" if name == "summary" else "bare"), kind, content)
    with pytest.raises(
        ValueError, match=rf"{name}.json {sentence}.*delete it and give|{sentence}.*; delete .*{name}.json and give"
    ):
        read_all(run)


def test_a_snapshot_s_samples_belong_to_the_run(run):
    documents.write(run.path("sampled", "rank8", 3, "bare"), "sampling", {"model": "s", "file": "f"})
    read_all(run)
