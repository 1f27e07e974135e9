"""Figures of studies of the validation suite."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from asymflow.report import metrics, suite_figures
from asymflow.report.study import Study

ARMS = {"a": {"target.rank": 0}, "b": {"target.rank": 8}}
STUDY = Study(
    name="test",
    title="Which?",
    reference="a",
    figure="suite",
    judges=["distribution", "suite", "memorisation"],
    seeds=[0],
    arms=ARMS,
    samplings={"bare": {}},
    files={},
    configurations={},
    bases={},
)
NAMES = {  # by who measured
    "local": ("fid_local", "recon_lpips_local", "memorised_similarity_local"),
    "published": ("fid", "recon_lpips", "memorised_similarity_inception"),
}


def table(judged="local"):
    fid, recon, memorised = NAMES[judged]
    rows = [
        {"arm": arm, "seed": 0, "sampling": "bare", fid: 50.0 + i, recon: 0.3 + i / 10, f"{recon}_low": 0.25 + i / 10,
         f"{recon}_high": 0.4 + i / 10, memorised: 0.1, f"{memorised}_low": 0.0, f"{memorised}_high": 0.2, "samples": 10,
         "evaluator": judged, "set_images": 100 * (i + 1)}
        for i, arm in enumerate(ARMS)
    ]  # fmt: skip
    floor = {"arm": "floor: another image", recon: 1.1}
    return pd.concat([pd.DataFrame(rows).astype({"seed": "Int64"}), pd.DataFrame([floor])], ignore_index=True)


@pytest.mark.parametrize("judged", NAMES)
def test_the_suite_shows_each_arm_s_interval_and_the_floor_beside(judged):
    figure = suite_figures.suite(table(judged), STUDY)
    panel = figure.axes[1]
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["a *", "b"]
    (bars,) = panel.containers
    segments = bars[2][0].get_segments()
    np.testing.assert_allclose([s[:, 0] for s in segments], [[0.25, 0.4], [0.35, 0.5]])
    assert 1.1 in [line.get_xdata()[0] for line in panel.lines]


def test_each_arm_s_mark_is_its_mean_over_seeds_whatever_its_name():
    rows = [
        {"arm": arm, "seed": seed, "sampling": "bare", "fid_local": 50.0 + 10 * i + 4 * seed, "recon_lpips_local": 0.3,
         "recon_lpips_local_low": 0.1 + 0.1 * seed, "recon_lpips_local_high": 0.4 + 0.2 * seed, "samples": 10,
         "evaluator": "local"}
        for i, arm in enumerate(("wide", "narrow", "also"))
        for seed in (0, 1)
    ]  # fmt: skip
    arms = {arm: {"target.rank": rank} for rank, arm in enumerate(("wide", "narrow", "also"))}
    described = dataclasses.replace(STUDY, reference="wide", seeds=[0, 1], arms=arms)
    distances, similarities = suite_figures.suite(pd.DataFrame(rows), described).axes
    assert [text.get_text() for text in distances.get_yticklabels()] == ["wide *", "narrow", "also"]
    (marks,) = distances.containers
    np.testing.assert_allclose(marks.lines[0].get_xydata(), [[52, 0], [62, 1], [72, 2]])
    (marks,) = similarities.containers
    np.testing.assert_allclose([segment[:, 0] for segment in marks.lines[2][0].get_segments()], 3 * [[0.15, 0.5]])


@pytest.mark.parametrize("judged", NAMES)
def test_the_suite_shows_the_main_metrics_and_which_way_is_better(judged):
    titles = [panel.get_title() for panel in suite_figures.suite(table(judged), STUDY).axes]
    assert titles == ["Frechet distance  (lower)", "LPIPS to the image, all conditions  (lower)"]
    assert all(metrics.metric(name).better for name in suite_figures.SHOWN)


@pytest.mark.parametrize("judged", NAMES)
def test_memorisation_is_drawn_against_the_images_that_each_arm_had(judged):
    figure = suite_figures.against_set(table(judged), STUDY)
    left, right = figure.axes
    assert [list(line.get_xdata()) for line in left.lines] == [[100], [200]]
    assert left.get_ylabel() == f"{NAMES[judged][0]}  (lower is better)" and "held-out" in right.get_ylabel()


def test_a_curve_is_the_mean_of_its_last_points():
    points = pd.DataFrame({"images": [10, 20, 30], "flow": [3.0, 1.0, 2.0]})
    (axes,) = suite_figures.curves({"a": points}, "Q?").axes
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [3.0, 2.0, 2.0])
