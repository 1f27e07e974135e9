"""Ranks at lengths of training."""

import pandas as pd
import pytest

from asymflow.report import lengths
from asymflow.report.study import Study

RANKS = (0, 8, "full")


def study():
    return Study(
        name="length", title="A title", reference="length3_rank0", figure="length", judges=["distribution"], seeds=[0, 1, 2],
        arms={f"length{n}_rank{rank}": {"target.rank": rank} for n in (1, 2, 3) for rank in RANKS},
        samplings={"unguided": {}, "guided": {}}, files={}, configurations={},
    )  # fmt: skip


def table(seeds):
    """Rank 8 leads by 10, then by 5, then not; every seed is 1 worse than the one before, and alike in all arms."""
    distances = {0: (45.0, 22.0, 11.0), 8: (35.0, 17.0, 12.0), "full": (390.0, 400.0, 430.0)}
    return pd.DataFrame(
        [
            {"arm": f"length{n}_rank{rank}", "seed": seed, "sampling": sampling, "samples": 8, "evaluator": "local"}
            | {
                "images_seen": 24992 * n,
                "fid_local": distances[rank][n - 1] + seed + 7 * (rank == "full" and sampling == "guided"),
            }
            for n in (1, 2, 3)
            for rank in RANKS
            for seed in range(seeds)
            for sampling in ("unguided", "guided")
        ]
    )


def test_each_length_is_compared_within_itself_seed_by_seed():
    rows = lengths.compared(table(3).assign(rank=lambda rows: [study().rank(arm) for arm in rows["arm"]]), "fid_local")
    eight = rows[(rows["rank"] == 8) & (rows["sampling"] == "guided")]
    assert eight["images"].tolist() == [24992, 2 * 24992, 3 * 24992]
    assert eight["mean"].tolist() == [36, 18, 13] and eight["difference"].tolist() == [-10, -5, 1]
    assert (eight["low"] == eight["difference"]).all() and (eight["std"] == 1).all(), "seeds move all arms alike"


def test_a_rank_whose_seeds_disagree_has_an_interval():
    rows = table(3).assign(rank=lambda rows: [study().rank(arm) for arm in rows["arm"]])
    rows.loc[(rows["rank"] == 8) & (rows["seed"] == 2), "fid_local"] += 3
    eight = lengths.compared(rows, "fid_local").query("rank == 8 and sampling == 'guided'").iloc[0]
    assert eight["difference"] == -9
    assert (eight["low"], eight["high"]) == pytest.approx((-9 - 4.3027, -9 + 4.3027), abs=1e-3), (
        "t of 2 degrees, error 1"
    )


def test_several_arms_of_one_rank_and_length_count_with_their_mean():
    rows = table(3).assign(rank=lambda rows: [study().rank(arm) for arm in rows["arm"]])
    twin = rows[rows["rank"] == 8].assign(arm="twin", fid_local=lambda rows: rows["fid_local"] + 2)
    eight = lengths.compared(pd.concat([rows, twin]), "fid_local").query("rank == 8 and sampling == 'guided'")
    assert eight["mean"].tolist() == [37, 19, 14]


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_figure_has_a_line_for_each_rank_and_rings_the_best(seeds):
    figure = lengths.against_length(table(seeds), study())
    above, below = figure.axes[:2], figure.axes[2:]
    for panel, least in zip(above, (390, 397), strict=True):
        assert [line.get_label() for line in panel.get_lines()] == ["rank 0", "rank 8"]
        assert panel.texts[0].get_text() == f"rank D: {least + (seeds - 1) // 2} or more"
        (rings,) = [
            marks for marks in panel.collections if len(marks.get_offsets()) == 3 and marks.get_sizes()[0] == 90
        ]
        assert rings.get_offsets()[:, 1].tolist() == [d + (seeds - 1) / 2 for d in (35, 17, 11)]
    for panel in below:
        assert [tick.get_text() for tick in panel.get_xticklabels()] == ["25 k", "50 k", "75 k"]
        marks = panel.containers[0].lines[0]
        percent = [
            100 * difference / (lowest + (seeds - 1) / 2) for difference, lowest in ((-10, 45), (-5, 22), (1, 11))
        ]
        assert marks.get_ydata().tolist() == pytest.approx(percent)
        assert bool(panel.containers[0].has_yerr) == (seeds > 1)


def test_a_rank_that_is_far_at_one_length_alone_keeps_its_line():
    rows = table(1)
    rows.loc[rows["arm"] == "length3_rankfull", "fid_local"] = 30.0
    figure = lengths.against_length(rows, study())
    assert [line.get_label() for line in figure.axes[0].get_lines()] == ["rank 0", "rank 8", "rank D"]


def test_the_lowest_rank_keeps_its_line_however_far_it_is():
    rows = table(1)
    rows.loc[rows["arm"].str.endswith("rank0"), "fid_local"] += 1000.0
    above, below = lengths.against_length(rows, study()).axes[::2]
    first, *_ = above.get_lines()
    assert first.get_label() == "rank 0" and below.get_ylabel() == "difference from rank 0 (%)"
