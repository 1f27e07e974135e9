import json

import pandas as pd
import pytest
from scipy import stats

from asymflow.report.tables import gather, metric_names, summarise


@pytest.fixture
def study(tmp_path):
    """Two arms and two seeds with made-up scores."""
    values = {("a", 0): 5.0, ("a", 1): 7.0, ("b", 0): 4.0, ("b", 1): 4.5}
    for (arm, seed), value in values.items():
        run = tmp_path / "runs" / arm / f"seed{seed}"
        (run / "guided").mkdir(parents=True)
        trained = {"images": 10, "seconds": 1.0, "parameters": 3, "machine": "m", "code": "t", "commit": "c"}
        (run / "train.json").write_text(json.dumps(trained))
        (run / "guided/samples.json").write_text(json.dumps({"seconds": 2.0, "code": "s"}))
        scores = {
            "metrics": {"fid_local": value, "kid_local": value / 2},
            "samples": 8,
            "evaluator": "local",
            "code": "x",
        }
        (run / "guided/scores.json").write_text(json.dumps(scores))
    return {
        "name": "test",
        "results": str(tmp_path),
        "seeds": [0, 1],
        "reference": "a",
        "arms": {"a": {"target.rank": 0, "training.lr": 1}, "b": {"target.rank": 8, "training.lr": 1}},
        "samplings": {"guided": {"guidance": 2}},
    }


def test_a_row_for_each_arm_and_seed_with_the_fields_that_differ(study):
    table = gather(study, [])
    assert list(table["arm"]) == ["a", "a", "b", "b"] and list(table["seed"]) == [0, 1, 0, 1]
    assert list(table["target.rank"]) == [0, 0, 8, 8]
    assert "training.lr" not in table, "a field in which no arm differs is no column"
    assert metric_names(table) == ["fid_local", "kid_local"]
    assert {"images_seen", "train_seconds", "samples", "evaluator", "code_train", "code_sample", "code_score"} <= set(
        table
    )


def test_published_numbers_join_by_arm_in_their_own_columns(study):
    table = gather(study, [pd.DataFrame({"arm": ["a"], "published_fid": [1.9]})])
    assert list(table["published_fid"].isna()) == [False, False, True, True]
    assert metric_names(table) == ["fid_local", "kid_local"]


def test_a_metric_that_one_run_lacks_is_an_error(study, tmp_path):
    path = tmp_path / "runs/b/seed1/guided/scores.json"
    scores = json.loads(path.read_text())
    del scores["metrics"]["kid_local"]
    path.write_text(json.dumps(scores))
    with pytest.raises(KeyError, match="scored with different metrics"):
        gather(study, [])


def test_the_summary_compares_seed_by_seed(study):
    summary = summarise(gather(study, []), "a").set_index(["arm", "metric"])
    row = summary.loc[("b", "fid_local")]
    assert (row["mean"], row["difference"]) == (4.25, -1.75)
    assert row["std"] == pytest.approx(0.5 / 2**0.5)
    assert row["difference_std"] == pytest.approx(1.5 / 2**0.5)  # of -1.0 and -2.5, not of the two means' spreads
    low, high = stats.t.interval(0.95, 1, loc=-1.75, scale=1.5 / 2**0.5 / 2**0.5)
    assert (row["difference_low"], row["difference_high"]) == pytest.approx((low, high))
    assert summary.loc[("a", "fid_local"), "difference"] == 0


def test_a_single_seed_has_no_spread(study):
    summary = summarise(gather(study | {"seeds": [0]}, []), "a")
    assert summary["std"].isna().all() and summary["difference_low"].isna().all()
    assert summary["difference"].notna().all()
