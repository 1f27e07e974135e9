import json

import pandas as pd
import pytest
from scipy import stats

from asymflow.report.tables import gather, metric_names, ours, speedup, summarise

SAMPLED = {"seconds": 2.0, "code": "s", "images_seen": 10, "guidance": 2.0, "interval": [0.0, 0.8]}


@pytest.fixture
def study(tmp_path):
    """Two arms and two seeds with made-up scores."""
    values = {("a", 0): 5.0, ("a", 1): 7.0, ("b", 0): 4.0, ("b", 1): 4.5}
    for (arm, seed), value in values.items():
        run = tmp_path / "runs" / arm / f"seed{seed}"
        (run / "guided").mkdir(parents=True)
        trained = {
            "images": 10,
            "seconds": 1.0,
            "parameters": 3,
            "gflops_per_image": 0.1,
            "peak_memory_mib": 5,
            "machine": "m",
            "code": "t",
            "commit": "c",
        }
        (run / "train.json").write_text(json.dumps(trained))
        (run / "guided/samples.json").write_text(json.dumps(SAMPLED))
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
    table = gather(study, [], [])
    assert list(table["arm"]) == ["a", "a", "b", "b"] and list(table["seed"]) == [0, 1, 0, 1]
    assert list(table["target.rank"]) == [0, 0, 8, 8]
    assert "training.lr" not in table, "a field in which no arm differs is no column"
    assert metric_names(table) == ["fid_local", "kid_local"]
    assert {"images_seen", "train_seconds", "samples", "evaluator", "code_train", "code_sample", "code_score"} <= set(
        table
    )


def test_a_part_that_one_arm_lacks_is_blank_for_it(study):
    study["arms"]["a"] |= {"head": None}
    study["arms"]["b"] |= {"head.width": 4, "head.blocks": 2}
    table = gather(study, [], [])
    assert list(table["head.width"].isna()) == [True, True, False, False] and set(table["head.blocks"][2:]) == {2}


def test_published_numbers_join_by_arm_in_their_own_columns(study):
    table = gather(study, [pd.DataFrame({"arm": ["a"], "published_fid": [1.9]})], [])
    assert list(table["published_fid"].isna()) == [False, False, True, True]
    assert metric_names(table) == ["fid_local", "kid_local"]


def test_a_metric_that_one_run_lacks_is_an_error(study, tmp_path):
    path = tmp_path / "runs/b/seed1/guided/scores.json"
    scores = json.loads(path.read_text())
    del scores["metrics"]["kid_local"]
    path.write_text(json.dumps(scores))
    with pytest.raises(KeyError, match="scored with different metrics"):
        gather(study, [], [])


def test_the_summary_compares_seed_by_seed(study):
    summary = summarise(gather(study, [], []), "a").set_index(["arm", "metric"])
    row = summary.loc[("b", "fid_local")]
    assert (row["mean"], row["difference"]) == (4.25, -1.75)
    assert row["std"] == pytest.approx(0.5 / 2**0.5)
    assert row["difference_std"] == pytest.approx(1.5 / 2**0.5)  # of -1.0 and -2.5, not of the two means' spreads
    low, high = stats.t.interval(0.95, 1, loc=-1.75, scale=1.5 / 2**0.5 / 2**0.5)
    assert (row["difference_low"], row["difference_high"]) == pytest.approx((low, high))
    assert summary.loc[("a", "fid_local"), "difference"] == 0


def test_a_single_seed_has_no_spread(study):
    summary = summarise(gather(study | {"seeds": [0]}, [], []), "a")
    assert summary["std"].isna().all() and summary["difference_low"].isna().all()
    assert summary["difference"].notna().all()


def test_published_numbers_of_a_sampling_setting_join_that_one_alone(study):
    published = pd.DataFrame({"arm": ["a", "a"], "sampling": ["guided", "other"], "published_fid": [1.9, 3.3]})
    assert list(gather(study, [published], [])["published_fid"].dropna()) == [1.9, 1.9]


def test_other_systems_are_rows_that_no_summary_counts(study):
    systems = pd.DataFrame({"arm": ["JiT-H/16"], "published_fid": [1.86]})
    table = gather(study, [], [systems])
    assert list(table["arm"]) == ["a", "a", "b", "b", "JiT-H/16"] and len(ours(table)) == 4
    assert table["seed"].isna().sum() == 1 and str(table["seed"].dtype) == "Int64"
    assert set(summarise(table, "a")["arm"]) == {"a", "b"}


def test_a_search_adds_what_it_cost(study, tmp_path):
    found = {"candidates": [{}] * 40, "grid_points": 1550, "distinct_points": 361, "evaluations": 30, "seconds": 1.0}
    for run in tmp_path.glob("runs/*/seed*/guided"):
        (run / "guidance.json").write_text(json.dumps(found | {"distinct_evaluations": 600, "grid_evaluations": 3000}))
    table = gather(study, [], [])
    assert list(table["share_of_grid"]) == [0.01] * 4 and list(table["share_of_distinct"]) == [0.05] * 4
    assert list(table["search_points"]) == [40] * 4


def curves(values):
    """A table of curves {(arm, seed): metrics at 100, 200, 300 images}."""
    rows = [
        {
            "arm": arm,
            "seed": seed,
            "sampling": f"part{i}",
            "fid_local": value,
            "samples": 5,
            "images_seen": 100 * (i + 1),
        }
        for (arm, seed), points in values.items()
        for i, value in enumerate(points)
    ]
    return pd.DataFrame(rows)


def test_the_speed_up_is_read_where_the_curves_are_level():
    table = curves(
        {("slow", 0): [80, 40, 20], ("fast", 0): [40, 10, 5], ("never", 0): [90, 80, 70], ("at_once", 0): [9, 9, 9]}
    )
    found = speedup(table, "slow").query("seed == '0'").set_index("arm")
    assert found.loc["fast", "images_to_equal"] == pytest.approx(150), "20 lies half way from 40 to 10 in the logarithm"
    assert found.loc["fast", "share"] == pytest.approx(0.5) and found.loc["fast", "speedup"] == pytest.approx(2)
    assert found.loc["never", "share"] == float("inf")
    assert found.loc["at_once", "images_to_equal"] == 100


def test_the_speed_up_over_seeds_has_an_interval_and_one_seed_has_none():
    values = {("slow", seed): [80, 40, 20] for seed in range(3)} | {
        ("fast", seed): [40, 20 / 4**seed, 1] for seed in range(3)
    }
    over_seeds = speedup(curves(values), "slow").query("seed == 'all'").iloc[0]
    shares = [2 / 3, (1 + 1 / 3) / 3, (1 + 1 / 5) / 3]
    low, high = stats.t.interval(0.95, 2, loc=pd.Series(shares).mean(), scale=pd.Series(shares).std() / 3**0.5)
    assert (over_seeds["share_low"], over_seeds["share_high"]) == pytest.approx((low, high))
    single = speedup(curves({key: value for key, value in values.items() if key[1] == 0}), "slow").iloc[-1]
    assert single["seed"] == "all" and pd.isna(single["share_low"])


def test_the_settings_of_one_arm_are_compared_with_the_first(study, tmp_path):
    for run in tmp_path.glob("runs/*/seed*"):
        (run / "clamped").mkdir()
        for name in ("scores.json", "samples.json"):
            (run / "clamped" / name).write_text((run / "guided" / name).read_text())
        path = run / "clamped/scores.json"
        scores = json.loads(path.read_text())
        scores["metrics"]["fid_local"] += 1 if run.name == "seed0" else 3
        path.write_text(json.dumps(scores))
    table = gather(study | {"samplings": {"guided": {}, "clamped": {}}}, [], [])
    summary = summarise(table, "a").set_index(["arm", "sampling", "metric"])
    row = summary.loc[("b", "clamped", "fid_local")]
    assert (row["change"], row["first_sampling"]) == (2.0, "guided") and row["change_std"] == pytest.approx(2**0.5)
    assert row["difference"] == -1.75, "the arms differ as before: both changed alike"
    assert summary.loc[("b", "guided", "fid_local"), "change"] == 0
