from typing import get_args

import numpy as np
import pandas as pd
import pytest

from asymflow.config.subspace import Basis
from asymflow.report import figures, style


def table(arms):
    rows = [
        {
            "arm": arm,
            "seed": seed,
            "sampling": sampling,
            "fid_local": 5.0 + i + seed,
            "samples": 8,
            "evaluator": "local",
        }
        for i, arm in enumerate(arms)
        for seed in (0, 1)
        for sampling in ("unguided", "guided")
    ]
    return pd.DataFrame(rows)


def study(arms):
    return {
        "title": "A title",
        "reference": next(iter(arms)),
        "arms": {arm: {"target.rank": rank, "target.basis": basis} for arm, (rank, basis) in arms.items()},
        "samplings": {"unguided": {}, "guided": {}},
    }


ARMS = {"rank0": (0, "pca"), "rank8": (8, "pca"), "random8": (8, "random"), "rank_full": ("full", "pca")}


@pytest.mark.parametrize("arms", [ARMS, {"rank0": (0, "pca"), "rank8": (8, "pca")}], ids=["four", "two"])
@pytest.mark.parametrize("published", [True, False])
def test_the_rank_figure_shows_every_arm_whichever_fields_differ(arms, published):
    frame = table(arms)
    if published:
        frame["published_guidance"] = [2.7 if arm == "rank0" else None for arm in frame["arm"]]
    figure = figures.against_rank(frame, study(arms))
    axes = figure.axes[0]
    shown = sum(len(line.get_xdata()) for line in axes.get_lines() if line.get_marker() in figures.MARKS.values())
    assert shown == 2 * len(arms)
    assert len(figure.axes) == 1 + published


def test_arms_stand_in_the_study_s_order():
    figure = figures.by_arm(table(ARMS), study(ARMS))
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "rank0 *",
        "rank8",
        "random8",
        "rank_full",
    ]


def test_every_basis_has_its_row_and_its_line():
    bases = {name: (np.eye(12), np.linspace(1, 0.1, 12)) for name in get_args(Basis)}
    assert set(bases) == set(figures.MARKS)
    figure = figures.subspaces(bases, shown=4)
    lines = figure.axes[-1].get_lines()
    assert len({line.get_label() for line in lines}) == len({line.get_color() for line in lines}) == len(bases)
    assert len(figure.axes) == 4 * len(bases) + 1


def test_the_same_figure_has_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        style.save(figures.by_arm(table(ARMS), study(ARMS)), [tmp_path / f"{name}.svg", tmp_path / f"{name}.png"])
    for suffix in ("svg", "png"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
