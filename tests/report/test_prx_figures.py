"""Figures of the prx-tg studies."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from asymflow.report import prx_figures

ARMS = {"a": {"target.rank": 0}, "b": {"target.rank": 8}}
STUDY = {"arms": ARMS, "samplings": {"bare": {}}, "reference": "a", "title": "Which?", "seeds": [0]}
MEMORISED = "memorised_similarity_local"


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def table():
    rows = [
        {"arm": arm, "seed": 0, "sampling": "bare", "fid_local": 50.0 + i, "recon_lpips_local": 0.3 + i / 10,
         "recon_lpips_local_low": 0.25 + i / 10, "recon_lpips_local_high": 0.4 + i / 10, MEMORISED: 0.1,
         f"{MEMORISED}_low": 0.0, f"{MEMORISED}_high": 0.2, "samples": 10, "evaluator": "local", "set_images": 100 * (i + 1)}
        for i, arm in enumerate(ARMS)
    ]  # fmt: skip
    floor = {"arm": "floor: another image", "recon_lpips_local": 1.1}
    return pd.concat([pd.DataFrame(rows).astype({"seed": "Int64"}), pd.DataFrame([floor])], ignore_index=True)


def test_the_suite_shows_each_arm_s_interval_and_the_floor_beside():
    figure = prx_figures.suite(table(), STUDY)
    panel = figure.axes[1]
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["a *", "b"]
    (bars,) = panel.containers
    segments = bars[2][0].get_segments()
    np.testing.assert_allclose([s[:, 0] for s in segments], [[0.25, 0.4], [0.35, 0.5]])
    assert 1.1 in [line.get_xdata()[0] for line in panel.lines]


def test_memorisation_is_drawn_against_the_images_that_each_arm_had():
    figure = prx_figures.against_set(table(), STUDY)
    left, right = figure.axes
    assert [list(line.get_xdata()) for line in left.lines] == [[100], [200]]
    assert "held-out" in right.get_ylabel()


def test_a_curve_is_the_mean_of_its_last_points():
    points = pd.DataFrame({"images": [10, 20, 30], "flow": [3.0, 1.0, 2.0]})
    (axes,) = prx_figures.curves({"a": points}, "Q?").axes
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [3.0, 2.0, 2.0])


def test_each_setting_of_an_arm_is_a_row_and_each_sample_has_its_neighbours_below():
    images = np.zeros((3, 4, 4, 3), np.uint8)
    assert len(prx_figures.progression({("a", "p1"): images, ("a", "p2"): images}).axes) == 6
    assert len(prx_figures.neighbours({"a": np.zeros((2, 3, 4, 4, 3), np.uint8)}).axes) == 6
