import dataclasses
import io
from pathlib import Path

import pandas as pd
import pytest
from scipy import stats

from asymflow import documents
from asymflow.report import metrics, tables
from asymflow.report.study import Study, configuration_checksum
from asymflow.report.tables import gather, ours, speedup, summarise

TRAINED = {
    "images": 10,
    "set_images": 50,
    "seconds": 1.0,
    "parameters": 3,
    "gflops_per_image": 0.1,
    "peak_memory_mib": 5,
    "machine": "m",
    "code": "t",
    "model": "m",
    "snapshots": {},
    "commit": "c",
}
GUIDANCE = {"kind": "classifier_free", "scale": 2.0, "interval": [0.0, 0.8], "orthogonal": False}
SAMPLED = {
    "model": "m",
    "file": "f",
    "seconds": 2.0,
    "code": "s",
    "weights": "ema_20",
    "images_seen": 10,
    "guidance": GUIDANCE,
}
SEARCH = {
    "model": "m",
    "candidates": [{}] * 40,
    "grid_points": 1550,
    "distinct_points": 361,
    "evaluations": 30,
    "distinct_evaluations": 600,
    "grid_evaluations": 3000,
    "seconds": 1.0,
}
KINDS = {"summary": "training", "sampled": "sampling", "guidance": "guidance"}
JUDGES = ["distribution", "captions"]
FIDS = {("a", 0): 5.0, ("a", 1): 7.0, ("b", 0): 4.0, ("b", 1): 4.5}


@pytest.fixture
def study(tmp_path):
    """Two arms and two seeds with made-up scores of the first judge."""
    made = Study(
        name="test",
        title="Which?",
        reference="a",
        figure="bars",
        judges=["distribution"],
        seeds=[0, 1],
        arms={"a": {"target.rank": 0, "training.lr": 1}, "b": {"target.rank": 8, "training.lr": 1}},
        samplings={"guided": {"guidance.kind": "classifier_free"}},
        files={"summary": f"{tmp_path}/{{arm}}/seed{{seed}}/train.json"},
        configurations={arm: configuration_checksum(arm) for arm in "ab"},
        bases={},
    )
    for file in ("sampled", "guidance", "distribution", "captions", "suite"):
        made.files[file] = f"{tmp_path}/{{arm}}/seed{{seed}}/{{sampling}}/{file}.json"
    for (arm, seed), value in FIDS.items():
        identity = {"configuration": arm, "seed": str(seed)}
        write(made, "summary", arm, seed, TRAINED | {"set_images": 50 + seed, "identity": identity})
        write(made, "sampled", arm, seed, SAMPLED)
        write(made, "distribution", arm, seed, score(fid_local=value, kid_local=value / 2))
    return made


def write(study, file, arm, seed, content, sampling="guided"):
    path = study.path(file, arm, seed, sampling)
    documents.write(path, KINDS.get(file, "score"), content)


def score(**metrics_of_run):
    return {"metrics": metrics_of_run, "samples": 8, "evaluator": "local", "code": "x", "file": "f"}


def change(study, **changes):
    return dataclasses.replace(study, **changes)


def test_a_row_for_each_arm_and_seed_with_the_fields_that_differ(study):
    table = gather(study, [], [])
    assert list(table["arm"]) == ["a", "a", "b", "b"] and list(table["seed"]) == [0, 1, 0, 1]
    assert list(table["target.rank"]) == [0, 0, 8, 8]
    assert "training.lr" not in table, "a field in which no arm differs is not a column"
    assert list(table["fid_local"]) == [5.0, 7.0, 4.0, 4.5] and list(table["kid_local"]) == [2.5, 3.5, 2.0, 2.25]
    assert metrics.names(table) == ["fid_local", "kid_local"]


def test_a_row_has_what_a_run_cost_and_what_made_it(study):
    row = gather(study, [], []).iloc[3]
    costs = {"images_seen": 10, "set_images": 51, "train_seconds": 1.0, "sample_seconds": 2.0, "parameters": 3}
    costs |= {"weights": "ema_20", "gflops_per_image": 0.1, "peak_memory_mib": 5, "samples": 8}
    made = {"machine": "m", "evaluator": "local", "commit": "c", "code_train": "t", "code_sample": "s"}
    guidance = {"guidance": "classifier_free", "guidance_scale": 2.0, "interval_end": 0.8}
    for name, value in (costs | made | {"code_distribution": "x"} | guidance).items():
        assert row[name] == value, name


def test_guidance_without_scale_or_interval_leaves_these_blank(study):
    for arm, seed in FIDS:
        write(study, "sampled", arm, seed, SAMPLED | {"guidance": {"kind": "none"}})
    write(study, "sampled", "b", 1, SAMPLED | {"guidance": {"kind": "routing", "scale": 3.0, "interval": [0.0, 1.0]}})
    table = gather(study, [], [])
    assert list(table["guidance"]) == ["none", "none", "none", "routing"]
    for name, last in (("guidance_scale", 3.0), ("interval_end", 1.0)):
        assert table[name].isna().tolist() == [True, True, True, False] and table[name].iloc[3] == last


def test_a_part_that_one_arm_lacks_is_blank_for_it(study):
    study.arms["a"] |= {"head": None}
    study.arms["b"] |= {"head.width": 4, "head.blocks": 2}
    table = gather(study, [], [])
    assert list(table["head.width"].isna()) == [True, True, False, False] and set(table["head.blocks"][2:]) == {2}


def test_each_judge_adds_its_metrics_in_the_study_s_order(study):
    for arm, seed in FIDS:
        write(study, "captions", arm, seed, score(clip_local=0.2 + seed) | {"code": "y"})
    one, other = (gather(change(study, judges=judges), [], []) for judges in (JUDGES, JUDGES[::-1]))
    assert metrics.names(one) == ["fid_local", "kid_local", "clip_local"]
    assert metrics.names(other) == ["clip_local", "fid_local", "kid_local"]
    assert list(one["clip_local"]) == [0.2, 1.2, 0.2, 1.2]
    assert set(one["code_distribution"]) == {"x"} and set(one["code_captions"]) == {"y"}


def unasked(study):
    """The study with a judge that could not be asked."""
    for arm, seed in FIDS:
        not_run = {"not_run": {"hpsv3": "package hpsv3 is not installed"}}
        write(study, "captions", arm, seed, score(clip_local=0.2 + seed) | not_run)
    return change(study, judges=JUDGES)


def test_a_judge_that_could_not_be_asked_says_why(study):
    table = gather(unasked(study), [], [])
    assert list(table["not_run_hpsv3"]) == ["package hpsv3 is not installed"] * 4


def test_what_a_judge_could_not_be_asked_for_is_in_no_summary(study):
    summary = summarise(gather(unasked(study), [], []), "a")
    assert list(dict.fromkeys(summary["metric"])) == ["fid_local", "kid_local", "clip_local"]


def test_ends_of_intervals_are_columns_and_no_metrics(study):
    ends = {"recon_lpips_local": 0.3, "recon_lpips_local_low": 0.2, "recon_lpips_local_high": 0.4}
    for arm, seed in FIDS:
        write(study, "suite", arm, seed, score(**ends))
    table = gather(change(study, judges=["distribution", "suite"]), [], [])
    assert all(set(table[name]) == {value} for name, value in ends.items())
    assert metrics.names(table) == ["fid_local", "kid_local", "recon_lpips_local"]
    assert set(summarise(table, "a")["metric"]) == {"fid_local", "kid_local", "recon_lpips_local"}


def test_published_numbers_join_by_arm_in_their_own_columns(study):
    table = gather(study, [pd.DataFrame({"arm": ["a"], "published_fid": [1.9]})], [])
    assert list(table["published_fid"].isna()) == [False, False, True, True]
    assert metrics.names(table) == ["fid_local", "kid_local"]


def test_a_metric_that_one_run_lacks_is_an_error(study):
    write(study, "distribution", "b", 1, score(fid_local=4.5))
    with pytest.raises(
        ValueError, match="study test were scored with different metrics: kid_local are not in all; delete"
    ):
        gather(study, [], [])


@pytest.mark.parametrize("name", ["beauty", "beauty_local", "beauty_low", "fid_else", "published_fid"])
def test_a_metric_that_nobody_declared_is_an_error_that_says_where_to(study, name):
    for arm, seed in FIDS:
        write(study, "distribution", arm, seed, score(fid_local=1.0, **{name: 2.0}))
    with pytest.raises(KeyError, match=rf"measured {name}; declare it in measured.py"):
        gather(study, [], [])


def test_a_file_that_the_rule_did_not_declare_is_an_error_though_it_is_there(study):
    undeclared = {file: path for file, path in study.files.items() if file != "distribution"}
    with pytest.raises(KeyError, match="distribution"):
        gather(change(study, files=undeclared), [], [])


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
    summary = summarise(gather(change(study, seeds=[0]), [], []), "a")
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


def test_a_search_adds_what_it_cost(study):
    for arm, seed in FIDS:
        write(study, "guidance", arm, seed, SEARCH)
    searched = change(study, samplings={"guided": {"guidance.kind": "searched"}})
    table = gather(searched, [], [])
    assert list(table["share_of_grid"]) == [0.01] * 4 and list(table["share_of_distinct"]) == [0.05] * 4
    assert list(table["search_points"]) == [40] * 4 and list(table["search_evaluations"]) == [30] * 4
    assert "search_points" not in gather(study, [], []), "a search that the setting did not ask for is not read"


def test_settings_without_a_search_are_blank_beside_one_with(study):
    for arm, seed in FIDS:
        write(study, "guidance", arm, seed, SEARCH, sampling="searched")
        write(study, "sampled", arm, seed, SAMPLED, sampling="searched")
        write(study, "distribution", arm, seed, score(fid_local=1.0, kid_local=1.0), sampling="searched")
    both = study.samplings | {"searched": {"guidance.kind": "searched"}}
    table = gather(change(study, samplings=both), [], [])
    assert list(table["sampling"]) == ["guided", "searched"] * 4
    assert list(table["sampling.guidance.kind"]) == ["classifier_free", "searched"] * 4
    assert table["search_points"].isna().tolist() == [True, False] * 4


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
    speedups = speedup(table, "slow").query("seed == '0'").set_index("arm")
    assert speedups.loc["fast", "images_to_equal"] == pytest.approx(150), (
        "20 lies half way from 40 to 10 in the logarithm"
    )
    assert speedups.loc["fast", "share"] == pytest.approx(0.5) and speedups.loc["fast", "speedup"] == pytest.approx(2)
    assert speedups.loc["never", "share"] == float("inf")
    assert speedups.loc["at_once", "images_to_equal"] == 100


def test_the_speed_up_over_seeds_has_an_interval_and_one_seed_has_none():
    values = {("slow", seed): [80, 40, 20] for seed in range(3)} | {
        ("fast", seed): [40, 20 / 4**seed, 1] for seed in range(3)
    }
    over_seeds = speedup(curves(values), "slow").query("seed == 'all'").iloc[0]
    shares = [2 / 3, (1 + 1 / 3) / 3, (1 + 1 / 5) / 3]
    low, high = stats.t.interval(0.95, 2, loc=pd.Series(shares).mean(), scale=pd.Series(shares).std() / 3**0.5)
    assert (over_seeds["share_low"], over_seeds["share_high"]) == pytest.approx((low, high))
    assert over_seeds["share"] == pytest.approx(68 / 135), "the mean of 90, 60 and 54 parts in 135"
    assert over_seeds["share_std"] == pytest.approx(372**0.5 / 135), "22, -8 and -14 parts from it"
    assert over_seeds["speedup"] == pytest.approx(135 / 68), "of the mean share, not the mean of speed-ups"
    single = speedup(curves({key: value for key, value in values.items() if key[1] == 0}), "slow").iloc[-1]
    assert single["seed"] == "all" and pd.isna(single["share_low"]) and pd.isna(single["share_std"])
    assert (single["share"], single["speedup"]) == pytest.approx((2 / 3, 1.5))


def test_the_settings_of_one_arm_are_compared_with_the_first(study):
    for (arm, seed), value in FIDS.items():
        write(study, "sampled", arm, seed, SAMPLED, sampling="clamped")
        changed = score(fid_local=value + (1 if seed == 0 else 3), kid_local=value / 2)
        write(study, "distribution", arm, seed, changed, sampling="clamped")
    kind = {"guidance.kind": "classifier_free"}
    samplings = {"guided": kind | {"gamut_clamp": False}, "clamped": kind | {"gamut_clamp": True}}
    table = gather(change(study, samplings=samplings), [], [])
    assert list(table["sampling.gamut_clamp"]) == [False, True] * 4 and "sampling.guidance.kind" not in table
    summary = summarise(table, "a").set_index(["arm", "sampling", "metric"])
    row = summary.loc[("b", "clamped", "fid_local")]
    assert (row["change"], row["first_sampling"]) == (2.0, "guided") and row["change_std"] == pytest.approx(2**0.5)
    assert row["difference"] == -1.75, "the arms differ as before: both changed alike"
    assert summary.loc[("b", "guided", "fid_local"), "change"] == 0


AWKWARD = pd.DataFrame(
    {
        "arm": ["a", "b, c", 'say "d"'],
        "number": [0.1 + 0.2, float("nan"), 1e-12],
        "count": pd.array([1, None, 3], dtype="Int64"),
        "text": [None, "", "NA"],
        "truth": [True, False, None],
    }
)


def test_a_table_is_read_as_it_was_written(tmp_path):
    tables.write(AWKWARD, tmp_path / "a.csv")
    expected = pd.read_csv(io.StringIO(AWKWARD.to_csv(index=False, float_format="%.6g")))
    pd.testing.assert_frame_equal(tables.read(tmp_path / "a.csv"), expected)
    assert list(pd.read_csv(tmp_path / "a.csv").columns) == [*AWKWARD.columns, "checksum"]


def test_a_table_of_a_single_column_is_too(tmp_path):
    tables.write(AWKWARD[["number"]], tmp_path / "a.csv")
    assert len(tables.read(tmp_path / "a.csv")) == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "\n".join(text.splitlines()[:-1]) + "\n",
        lambda text: text.replace("0.3", "0.2", 1),
        lambda text: text.replace("arm", "arms", 1),
        lambda text: text + text.splitlines()[-1] + "\n",
        lambda text: "",
        lambda text: "\n".join(line.rpartition(",")[0] for line in text.splitlines()),
    ],
)
def test_a_table_that_was_changed_is_refused(tmp_path, damage):
    tables.write(AWKWARD, tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text(damage((tmp_path / "a.csv").read_text()))
    with pytest.raises(
        ValueError, match=r"a.csv is cut, damaged or was edited: .*delete it and give the same command again"
    ):
        tables.read(tmp_path / "a.csv")


def test_a_table_of_another_study_is_refused(study):
    rows = [{"arm": arm, "seed": seed, "sampling": "guided"} for arm in study.arms for seed in study.seeds]
    table = pd.DataFrame(rows)
    tables.check(table, study, Path("a.csv"))
    for wrong in (table.iloc[1:], table.assign(sampling="unguided"), table.drop(columns="seed")):
        with pytest.raises(ValueError, match=r"a.csv has other arms, seeds or sampling settings than study"):
            tables.check(wrong, study, Path("a.csv"))


def test_names_are_names_whatever_they_look_like(tmp_path):
    """Also where a row has none: that of a published system."""
    table = pd.DataFrame({"arm": ["50", "nan", "1e5"], "sampling": ["007", "none", None], "seed": [0, 1, None]})
    tables.write(table, tmp_path / "table.csv")
    found = tables.read(tmp_path / "table.csv")
    assert found["arm"].tolist() == ["50", "nan", "1e5"]
    assert found["sampling"].tolist()[:2] == ["007", "none"] and found["sampling"].isna().tolist() == [
        False,
        False,
        True,
    ]
    assert found["seed"].tolist()[:2] == [0, 1]
