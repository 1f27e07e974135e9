"""What is found of a claim after some seeds: paired differences, their intervals and the verdict, from files of runs."""

import json

import pytest
from scipy.stats import sem, t
from workshop import run_stage

from asymflow import documents
from asymflow.config.claim import Claim, Decision
from asymflow.report.study import configuration_checksum
from asymflow.stages import look

SEEDS = [0, 1, 2]
FID = {
    ("a", "x"): [10.0, 12.0, 11.0],
    ("a", "y"): [20.0, 22.5, 20.5],
    ("b", "x"): [30.0, 31.0, 30.0],
    ("b", "y"): [31.0, 31.5, 31.0],
}
SECONDS = {run: [value / 8 for value in values] for run, values in FID.items()}
ALPHA = 0.05  # what the intervals of all looks and comparisons leave out together
LOOKS = 3


def looked(folder, holds_if, metric="fid", judge="distribution"):
    """What the stage writes of a claim on runs that measured `FID`, beside other metrics, and took `SECONDS` for an image."""
    for (arm, setting), values in FID.items():
        for seed, value in zip(SEEDS, values, strict=True):
            run, drawn = f"{arm}{seed}", f"{arm}{seed}{setting}"
            trained = {"identity": {"configuration": arm, "seed": str(seed)}, "model": run, "snapshots": {}}
            documents.write(folder / f"{run}.train.json", "training", trained)
            sampled = {"model": run, "file": drawn, "seconds_per_image": SECONDS[arm, setting][seed]}
            documents.write(folder / f"{drawn}.sampled.json", "sampling", sampled)
            measured = {"kid_local": 100 + value**2, "fid_local": value, "patch_fid_local": 200 + value**2}
            documents.write(folder / f"{drawn}.score.json", "score", {"file": drawn, "metrics": measured})
    files = {"sampled": "{arm}{seed}{sampling}.sampled.json", "distribution": "{arm}{seed}{sampling}.score.json"}
    study = {
        "name": "best", "reference": "a", "judges": ["distribution"], "seeds": SEEDS, "arms": {"a": {}, "b": {}},
        "samplings": {"x": {}, "y": {}}, "files": files | {"summary": "{arm}{seed}.train.json"},
        "configurations": {arm: configuration_checksum(arm) for arm in "ab"},
    }  # fmt: skip
    claim = Claim(says="a is best", source="a paper", metric=metric, judge=judge, holds_if=holds_if, smallest=3.0)
    decision = Decision(confidence=1 - ALPHA, looks=(3, 5, 8))
    run_stage(
        look, study=json.dumps(study), root=folder, claim=claim.model_dump_json(), decision=decision.model_dump_json(),
        out=folder / "look.json",
    )  # fmt: skip
    return documents.read(folder / "look.json", "look")


@pytest.mark.parametrize(
    ("holds_if", "differences", "verdicts", "verdict"),
    [
        ("a@x - a@y < b@x - b@y", [[-9.0, -10.0, -8.5]], ["holds"], "holds"),
        ("a@x < b@x, a@y", [[-20.0, -19.0, -19.0], [-10.0, -10.5, -9.5]], ["holds", "holds"], "holds"),
        ("b@x < a@x, b@y", [[20.0, 19.0, 19.0], [-1.0, -0.5, -1.0]], ["does not hold"] * 2, "does not hold"),
        ("b@x = b@y", [[-1.0, -0.5, -1.0]], ["holds"], "holds"),
        ("b@x = b@y, a@x", [[-1.0, -0.5, -1.0], [20.0, 19.0, 19.0]], ["holds", "does not hold"], "does not hold"),
    ],
)
def test_each_comparison_has_its_differences_seed_by_seed_their_interval_and_its_verdict(
    tmp_path, holds_if, differences, verdicts, verdict
):
    found = looked(tmp_path, holds_if)
    assert found["differences"] == differences and found["seeds"] == SEEDS
    confidence = 1 - ALPHA / LOOKS / len(differences)
    assert found["interval_confidence"] == pytest.approx(confidence, rel=1e-12)
    for row, mean, ends in zip(differences, found["means"], found["intervals"], strict=True):
        assert mean == pytest.approx(sum(row) / 3)
        assert ends == pytest.approx(t.interval(confidence, 2, loc=sum(row) / 3, scale=sem(row)))
    assert (found["verdicts"], found["verdict"]) == (verdicts, verdict)


def test_the_numbers_that_were_compared_stand_beside_the_differences(tmp_path):
    found = looked(tmp_path, "a@x - a@y < b@x - b@y")
    assert found["values"] == {f"{arm}@{setting}": values for (arm, setting), values in FID.items()}
    assert (found["name"], found["metric"]) == ("best", "fid_local")
    assert found["claim"]["holds_if"] == "a@x - a@y < b@x - b@y"


def test_what_sampling_costs_is_in_what_sampling_says(tmp_path):
    found = looked(tmp_path, "a@x < b@x", "seconds_per_image", "cost")
    assert found["metric"] == "seconds_per_image" and found["differences"] == [[-2.5, -2.375, -2.375]]


def test_a_metric_that_its_judge_does_not_measure_is_an_error(tmp_path):
    with pytest.raises(
        ValueError, match="'best' compares 'recall', but judge distribution measured kid_local, fid_local"
    ):
        looked(tmp_path, "a@x < b@x", "recall")
