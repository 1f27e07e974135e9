"""The table and the figure of velocity errors."""

from dataclasses import replace

import pytest
from matplotlib.colors import to_hex

from asymflow.report import target_figures, velocity_figures
from asymflow.report.study import Study


def card(scale):
    rows = [
        {"t": t, "first": first, "last": last, "error": scale * t * last, "noise_passed": t}
        for t in (0.1, 0.9)
        for first, last in ((1, 8), (9, 12))
    ]
    return {"rows": rows, "images_seen": 10, "samples": 5}


CARDS = {(arm, seed, "plain"): card(scale + seed) for arm, scale in (("a", 1.0), ("b", 3.0)) for seed in (0, 1)}
STUDY = Study(
    name="s", title="A title", reference="a", figure="rank", judges=["distribution", "velocity"], seeds=[0, 1],
    arms={"a": {"target.rank": 0}, "b": {"target.rank": 8}}, samplings={"plain": {}}, files={}, bases={}, configurations={},
)  # fmt: skip


def test_errors_are_compared_with_the_reference_of_the_same_seed_level_and_group():
    table = velocity_figures.gather(CARDS, STUDY)
    assert len(table) == 2 * 2 * 4 and (table.query("arm == 'a'")["ratio"] == 1).all()
    assert table.query("arm == 'b' and seed == 0")["ratio"].tolist() == pytest.approx([3.0] * 4)
    assert table.query("arm == 'b' and seed == 1")["ratio"].tolist() == pytest.approx([2.0] * 4)


def test_the_figure_has_a_column_for_each_group_and_a_line_for_each_arm():
    figure = velocity_figures.by_noise(velocity_figures.gather(CARDS, STUDY), STUDY)
    assert [panel.get_title() for panel in figure.axes[:2]] == ["directions 1 to 8", "directions 9 to 12"]
    (b,) = [line for line in figure.axes[0].get_lines() if line.get_label() == "b"]
    assert b.get_ydata().tolist() == pytest.approx([2.5, 2.5])


def test_colours_are_of_all_but_the_network_and_styles_of_lines_are_the_networks():
    arms = {
        "a": {"target.rank": 0, "network.kind": "jit"},
        "b": {"target.rank": 8, "network.kind": "jit"},
        "nano_a": {"network.kind": "nanodit", "target.rank": 0},
    }
    cards = {(arm, 0, "plain"): card(1.0) for arm in arms}
    study = replace(STUDY, arms=arms)
    figure = velocity_figures.by_noise(velocity_figures.gather(cards, study), study)
    a, b, nano_a = (
        next(line for line in figure.axes[0].get_lines() if line.get_label() == arm) for arm in ("a", "b", "nano_a")
    )
    assert to_hex(a.get_color()) == to_hex(nano_a.get_color()) != to_hex(b.get_color())
    assert a.get_linestyle() == b.get_linestyle() != nano_a.get_linestyle()


def test_an_arm_of_another_network_is_compared_with_the_reference_s_target_in_its_own_network():
    arms = {
        "a": {"target.kind": "asymmetric", "target.rank": 0, "target.basis": "pca", "network.kind": "jit"},
        "b": {"target.kind": "asymmetric", "target.rank": 8, "target.basis": "pca", "network.kind": "jit"},
        "nano_a": {"target.kind": "asymmetric", "target.rank": 0, "target.basis": "pca", "network.kind": "nanodit"},
        "nano_b": {"target.kind": "asymmetric", "target.rank": 8, "target.basis": "pca", "network.kind": "nanodit"},
        "dit_b": {"target.kind": "asymmetric", "target.rank": 8, "target.basis": "pca", "network.kind": "dit"},
    }
    study = replace(STUDY, arms=arms, figure="targets", seeds=[0])
    assert [study.reference_of(arm) for arm in arms] == ["a", "a", "nano_a", "nano_a", "a"]
    scales = dict(zip(arms, (1.0, 2.0, 4.0, 6.0, 9.0), strict=True))
    table = velocity_figures.gather({(arm, 0, "plain"): card(scale) for arm, scale in scales.items()}, study)
    assert table.groupby("arm", sort=False)["ratio"].mean().tolist() == pytest.approx([1, 2, 1, 1.5, 9])
    figure = target_figures.errors(table, study)
    rows = [axes for axes in figure.axes if axes.get_ylabel()]
    assert [axes.get_ylabel().split(":")[0] for axes in rows] == ["JiT", "NanoDiT", "DiT"]
    assert [line.get_ydata()[0] for line in rows[1].get_lines()] == pytest.approx([1, 1.5])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["$x_0$", "AsymFlow, rank 8"]
    assert any("4 means lie above" in text.get_text() for text in figure.texts), (
        "DiT's ratio of 9, in two groups at two levels"
    )
