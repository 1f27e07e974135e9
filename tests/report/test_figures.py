from typing import get_args

import numpy as np
import pandas as pd
import pytest

from asymflow.config.subspace import Basis
from asymflow.report import figures, image_figures, metrics, style, target_figures
from asymflow.report.study import Study


def table(arms):
    rows = [
        {
            "arm": arm,
            "seed": seed,
            "sampling": sampling,
            "fid_local": 5.0 + i + seed,
            "samples": 8,
            "evaluator": "local",
            "images_seen": 4000,
        }
        for i, arm in enumerate(arms)
        for seed in (0, 1)
        for sampling in ("unguided", "guided")
    ]
    return pd.DataFrame(rows)


def study(arms):
    return Study(
        name="test",
        title="A title",
        reference=next(iter(arms)),
        figure="bars",
        judges=["distribution"],
        seeds=[0, 1],
        arms={arm: {"target.rank": rank, "target.basis": basis} for arm, (rank, basis) in arms.items()},
        samplings={"unguided": {}, "guided": {}},
        files={},
        configurations={},
        bases={},
    )


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


def test_a_mean_far_above_the_others_is_named_and_does_not_stretch_the_axis():
    frame = table(ARMS)
    near = figures.against_rank(frame, study(ARMS)).axes[0]
    frame.loc[frame["arm"] == "rank_full", "fid_local"] *= 100
    axes = figures.against_rank(frame, study(ARMS)).axes[0]
    highest = frame.loc[frame["arm"] != "rank_full", "fid_local"].max()
    assert highest < axes.get_ylim()[1] < 3 * highest
    assert [text.get_text() for text in axes.texts] == ["\u2191\nunguided\n850\nguided\n850"]
    assert not near.texts


def test_arms_stand_in_the_study_s_order():
    figure = figures.by_arm(table(ARMS), study(ARMS))
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "rank0 *",
        "rank8",
        "random8",
        "rank_full",
    ]


def test_each_arm_s_mark_is_its_mean_over_seeds_whatever_its_name():
    arms = dict.fromkeys(["wide", "narrow", "middle", "also"], (8, "pca"))
    frame = table(arms)
    frame.loc[frame["sampling"] == "guided", "fid_local"] *= 2
    unguided, guided = figures.by_arm(frame, study(arms)).axes[0].containers
    np.testing.assert_allclose(unguided.lines[0].get_xydata(), [[5.5, -0.09], [6.5, 0.91], [7.5, 1.91], [8.5, 2.91]])
    np.testing.assert_allclose(guided.lines[0].get_xydata(), [[11, 0.09], [13, 1.09], [15, 2.09], [17, 3.09]])
    whiskers = [segment[:, 0] for segment in unguided.lines[2][0].get_segments()]
    np.testing.assert_allclose(whiskers, [[mean - 0.5**0.5, mean + 0.5**0.5] for mean in (5.5, 6.5, 7.5, 8.5)])


def test_samplings_after_different_lengths_of_training_are_named_with_their_images():
    frame = table(ARMS)

    def named():
        return [text.get_text() for text in figures.by_arm(frame, study(ARMS)).axes[0].get_legend().get_texts()]

    assert named() == ["unguided", "guided"]
    frame.loc[frame["sampling"] == "guided", "images_seen"] = 32000
    assert named() == ["unguided, 4,000 images", "guided, 32,000 images"]


def test_a_figure_names_the_evaluator_of_the_metric_that_it_draws():
    def footnote(frame):
        return figures.by_arm(frame, study(ARMS)).axes[0].texts[-1].get_text()

    assert "local evaluator" in footnote(table(ARMS))
    frame = table(ARMS)
    frame.insert(0, "fid_second", 2.0)
    assert metrics.first(frame) == "fid_second" and "second evaluator" in footnote(frame)


def test_an_arm_that_is_far_off_makes_the_axis_logarithmic_and_no_other():
    frame = table(ARMS)
    assert figures.by_arm(frame, study(ARMS)).axes[0].get_xscale() == "linear"
    frame.loc[frame["arm"] == "rank_full", "fid_local"] = 2_000.0
    assert figures.by_arm(frame, study(ARMS)).axes[0].get_xscale() == "log"


def test_every_basis_has_its_row_and_its_line():
    assert set(get_args(Basis)) == set(figures.MARKS)
    drawn = set(get_args(Basis)) - {"pca_unexplained"}  # which has the directions of pca
    bases = {name: (np.eye(12), np.linspace(1, 0.1, 12)) for name in sorted(drawn)}
    figure = image_figures.subspaces(bases, shown=4)
    lines = figure.axes[-1].get_lines()
    assert len({line.get_label() for line in lines}) == len({line.get_color() for line in lines}) == len(bases)
    assert len(figure.axes) == 4 * len(bases) + 1


def test_a_name_has_its_images_beside_it_and_a_shorter_row_leaves_its_end_white():
    images = np.zeros((3, 4, 4, 3), np.uint8)
    figure = image_figures.image_rows({"a": images, "b": images[:2]})
    assert [len(panel.images) for panel in figure.axes] == [1, 1, 1, 1, 1, 0]
    assert [text.get_text() for panel in figure.axes for text in panel.texts] == ["a", "b"]


def test_the_same_figure_has_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        style.save(figures.by_arm(table(ARMS), study(ARMS)), [tmp_path / f"{name}.svg", tmp_path / f"{name}.png"])
    for suffix in ("svg", "png"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


@pytest.mark.parametrize("seeds", [1, 2])
def test_the_convergence_figure_has_every_seed_and_the_speed_up(seeds):
    rows = [
        {"arm": arm, "seed": seed, "sampling": f"part{i}", "fid_local": 80.0 / (1 + i * pace), "samples": 8}
        | {"evaluator": "local", "images_seen": 100 * (i + 1)}
        for arm, pace in (("slow", 1), ("fast", 3))
        for seed in range(seeds)
        for i in range(3)
    ]
    figure = figures.against_images(pd.DataFrame(rows), study({"slow": (0, "pca"), "fast": (8, "pca")}))
    axes = figure.axes[0]
    assert len(axes.get_lines()) == 2 * (seeds + 1) + 1, "each seed, the means, and the level to reach"
    assert "fast needs" in axes.texts[0].get_text() and ("95 %" in axes.texts[0].get_text()) == (seeds > 1)


def test_the_width_figure_has_a_line_for_each_rank_and_marks_the_patch_dimension():
    arms = {f"w{width}_{rank}": (width, rank) for width in (64, 256) for rank in (0, 8, "full")}
    described = study({arm: (rank, "pca") for arm, (_, rank) in arms.items()})
    for arm, (width, _) in arms.items():
        described.arms[arm] |= {"network.width": width, "representation.patch_size": 8}
    figure = figures.against_width(table(arms).query("sampling == 'unguided'"), described)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["rank 0: predicts the image", "rank 8", "rank D: predicts the velocity"]
    assert "D = 192" in [text.get_text() for text in figure.axes[0].texts]


def test_a_guidance_surface_shows_all_candidates_the_optimum_and_the_published_choice():
    candidates = [
        {"scale": 1 + i, "end": 0.5, "average": None, "value": 10.0 - i, "samples": 8 * (1 + (i == 2)), "dropped": None}
        for i in range(3)
    ]
    search = {
        "candidates": candidates,
        "optimum": {"scale": 3, "end": 0.5, "average": None, "value": 8.0, "samples": 16},
    }
    frame = table(ARMS).assign(published_guidance=[2.7 if arm == "rank0" else None for arm in table(ARMS)["arm"]])
    figure = figures.guidance_surfaces(
        frame.assign(published_interval_high=0.82), study(ARMS), dict.fromkeys(ARMS, search)
    )
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [panel.get_title() for panel in panels] == [f"{arm}: 3, [0, 0.5]" for arm in ARMS]
    assert all(len(panel.collections[0].get_offsets()) == 3 for panel in panels)
    assert [len(panel.get_lines()) for panel in panels] == [2, 1, 1, 1], "a cross only where something was published"


def test_the_bases_figure_has_each_arm_s_directions_beside_its_mark():
    arms = {"rank8": (8, "pca"), "random8": (8, "random")}
    bases = {arm: np.eye(48)[:, :8] for arm in arms}
    figure = figures.beside_bases(table(arms), study(arms), bases)
    assert len(figure.axes) == 1 + 2 * 8


def test_published_systems_stand_in_a_panel_of_their_own():
    systems = pd.DataFrame(
        {
            "arm": ["ADM-G", "JiT-H/16", "DiP-XL/16"],
            "published_gflops": [2240, 363, None],
            "published_fid": [4.59, 1.86, 1.79],
        }
    ).assign(
        published_kind=["hierarchical CNN", "plain transformer", "other"], published_protocol=["ADM", "JiT", "ADM"]
    )
    figure = figures.beside_systems(pd.concat([table(ARMS), systems], ignore_index=True), study(ARMS))
    left, right = figure.axes
    assert [label.get_text() for label in right.get_yticklabels()] == ["DiP-XL/16", "JiT-H/16*", "ADM-G"], "best first"
    assert [text.get_text() for text in right.texts] == ["cost unknown", "363 GFLOPs", "2240 GFLOPs"]
    assert "ADM-G" not in [label.get_text() for label in left.get_yticklabels()]


TARGETS = {
    "x_0": {"target.kind": "asymmetric", "target.rank": 0, "target.basis": "pca"},
    "velocity": {"target.kind": "asymmetric", "target.rank": "full", "target.basis": "pca"},
    "rank 8": {"target.kind": "asymmetric", "target.rank": 8, "target.basis": "pca"},
    "other 8": {"target.kind": "asymmetric", "target.rank": 8, "target.basis": "pca_unexplained"},
    "share": {"target.kind": "isotropic", "target.share": 0.0416667, "target.learnt": False},
    "learnt": {"target.kind": "isotropic", "target.share": 1.0, "target.learnt": True},
    "soft": {"target.kind": "spectral", "target.basis": "pca", "target.shuffled": True},
    "opening": {"target.kind": "opening", "target.rank": 8},
    "edm": {"target.kind": "preconditioned"},
    "forced": {"target.kind": "forced"},
}


def test_the_figure_of_targets_has_a_line_for_each_network_and_every_arm_against_its_cost():
    arms = {f"{network}_{name}": {"network.kind": network, **fields} for network in ("jit", "nanodit")
            for name, fields in TARGETS.items() if network == "jit" or name != "soft"}  # fmt: skip
    described, values = study(ARMS), table(arms).assign(train_seconds=lambda t: 10.0 + t.index)
    described.arms.clear()
    described.arms.update(arms)
    figure = target_figures.by_target(values, described)
    left, right = figure.axes
    names = [label.get_text() for label in left.get_yticklabels()]
    assert len(names) == len(set(names)) == len(TARGETS), "every target has a name of its own"
    assert names[0] == "$x_0$" and "shares from eigenvalues, shuffled" in names and "one share, 0.042" in names
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["JiT", "NanoDiT"]
    assert [len(points.get_offsets()) for points in right.collections] == [10, 9]


def test_a_network_without_bottleneck_is_named_apart():
    names = [target_figures.network_name({"network.kind": "uvit", "network.bottleneck": b}) for b in (None, 0)]
    assert names == ["long skips", "long skips, no bottleneck"]
