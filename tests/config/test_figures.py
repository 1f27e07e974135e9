"""A study whose figure cannot be drawn is refused before anything runs, and one that is not refused is drawn."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml

from asymflow.config.figures import SHOWS
from asymflow.config.loading import load
from asymflow.descriptions import Descriptions
from asymflow.plan import Plan
from asymflow.report import figures, lengths, suite_figures
from asymflow.report.study import Study
from asymflow.studies import Studies

ARMS = """
pathvars: {results: results}
seeds: 1
evaluators: local
bases:
  scratch: {training: {snapshots: 2}}
  wide: {base: scratch, network: {kind: jit, width: 192}}
arms:
  ranked: {base: wide}
  unsized: {base: scratch}
  full: {base: wide, target: {rank: full}}
  rival: {base: scratch, target: {kind: isotropic}}
  latent:
    base: scratch
    network: {kind: flux}
    representation: {space: latent}
    conditions: {shown: [{share: 0.1}, {share: 0.9, what: [caption]}]}
    target: {rank: full, basis: identity}
  lifted:
    base: scratch
    network: {kind: flux}
    conditions: {shown: [{share: 1.0, what: [caption]}]}
    target: {rank: full, basis: lift}
    start: {run: latent}
prompts: {count: 2000}
samplings: {guided: {}, early: {snapshot: 1}, late: {snapshot: 2}, late_fine: {snapshot: 2, steps: 50}}
"""


def study(tmp_path, figure, arms, samplings=("guided",), **more):
    """The experiment with a study of these arms."""
    made = {"title": "Which?", "arms": list(arms), "reference": arms[0], "samplings": list(samplings), "figure": figure}
    files = [tmp_path / "arms.yaml", tmp_path / "study.yaml"]
    files[0].write_text(ARMS)
    files[1].write_text(yaml.safe_dump({"studies": {"one": made | more}}))
    return load(files)


REFUSED = [
    ("bases", "full", "as many directions of pixel patches as a rank in numbers says, but the arm 'full' has none"),
    ("bases", "latent", "but the arm 'latent' has none"),
    ("rank", "rival", "the rank and the fitted directions of the paper's target, but the arm 'rival' has none"),
    ("rank", "lifted", "but the arm 'lifted' has none: leave it out, or draw another figure"),
    ("length", "rival", "the rank of the paper's target, but the arm 'rival' has none"),
    ("data", "rival", "the rank of the paper's target, but the arm 'rival' has none"),
    ("width", "rival", "network.width and the rank of the paper's target, but the arm 'rival' has none"),
    ("width", "lifted", "but the arm 'lifted' has none"),
    ("width", "unsized", "but the arm 'unsized' has none"),
]


@pytest.mark.parametrize(("figure", "arm", "expected"), REFUSED)
def test_a_figure_of_what_an_arm_has_not_is_refused(tmp_path, figure, arm, expected):
    with pytest.raises(ValueError, match="study 'one' draws the figure") as caught:
        study(tmp_path, figure, ["ranked", arm], judges=["distribution", "memorisation"])
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("figure", "samplings", "expected"),
    [
        ("convergence", ["late", "late_fine"], "'late' and 'late_fine' show the arm 'ranked' at the same one"),
        ("convergence", ["early", "late", "guided"], "'late' and 'guided' show the arm 'ranked' at the same one"),
        ("guidance", ["guided"], "the search of the first setting, but 'guided' searches nothing"),
        ("systems", ["guided"], "names no table of systems"),
    ],
)
def test_a_figure_of_what_settings_have_not_is_refused(tmp_path, figure, samplings, expected):
    with pytest.raises(ValueError, match=expected):
        study(tmp_path, figure, ["ranked"], samplings)


def test_a_curve_has_one_point_for_each_snapshot_and_one_for_the_finished_model(tmp_path):
    study(tmp_path, "convergence", ["ranked"], ["early", "guided"])


@pytest.mark.parametrize("figure", sorted({*SHOWS} - {"bases"}))
def test_what_is_not_refused_is_drawn(tmp_path, figure):
    """From what the rule tells, for every arm that the figure may have."""
    refused = {arm for kind, arm, _ in REFUSED if kind == figure}
    arms = [arm for arm in ("ranked", "unsized", "full", "lifted") if arm not in refused]
    made = study(tmp_path, figure, arms, judges=["distribution", "memorisation"])
    told = Descriptions(Plan(made), Studies(made)).drawn(SimpleNamespace(study="one"))
    measured = {"fid_local": 9.0, "memorised_similarity_local": 0.1, "memorised_similarity_local_low": 0.0}
    rows = [
        {"arm": arm, "seed": 0, "sampling": "guided", "images_seen": 100, "set_images": 50, "samples": 10, "evaluator": "local"}
        | measured | {"memorised_similarity_local_high": 0.2, "machine": "m", "commit": "c"}
        for arm in arms
    ]  # fmt: skip
    draw = {"rank": figures.against_rank, "length": lengths.against_length, "width": figures.against_width}
    draw["data"] = suite_figures.against_set
    assert draw[figure](pd.DataFrame(rows), Study(**json.loads(told))).axes
