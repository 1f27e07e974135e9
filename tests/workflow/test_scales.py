"""Every scale is a graph that can be drawn up, with the arms that it says, before any data is there."""

import re
from pathlib import Path

import pandas as pd
import pytest

SCALES = Path(__file__).parents[2] / "workflow/scales"
ELSEWHERE = {"smoke", "flux2", "prx_ffhq1024", "prx_published"}  # whose graphs other tests draw up


@pytest.mark.parametrize("scale", sorted({path.stem for path in SCALES.glob("*.yaml")} - ELSEWHERE - {"released"}))
def test_a_scale_is_a_graph_of_the_rank_sweep(fresh, scale):
    fresh.overlays = (f"workflow/scales/{scale}.yaml",)
    counts = fresh.stale(f"results/{scale}/rank_sweep.csv")
    assert counts["train"] == 10 and counts["sample"] == 20 and counts["shard"] == counts["table"] == 1
    assert ("fit_evaluator" in counts) == (scale not in ("imagenet256",))


def test_released_weights_that_are_not_there_are_a_table_that_says_so(fresh):
    """Of what lies in models/ each is imported, drawn and scored by its protocol; without any, the table alone is made."""
    fresh.overlays = ("workflow/scales/released.yaml",)
    target = "results/released/released.csv"
    assert fresh.stale(target) == {"released": 1}
    models = fresh.folder / "models"
    models.mkdir()
    for name in ("asymflow_h_16_r8_imagenet.safetensors", "jit-b-16.pth"):
        (models / name).write_bytes(b"")
    for name in ("VIRTUAL_imagenet256_labeled.npz", "jit_in256_stats.npz"):
        (models / name).write_bytes(b"")
    expected = {"import_weights": 2, "sample": 2, "protocol": 2, "released": 1}
    assert fresh.stale(target) == expected


@pytest.mark.slow
def test_the_cost_of_more_arms_than_a_command_line_holds_is_known_before_anything_runs(fresh):
    names = [f"many{number}" for number in range(60)]
    study = {"title": "t", "source": "s", "arms": names, "reference": names[0], "samplings": ["unguided"]}
    fresh.overlay({"arms": {name: {"base": "scratch"} for name in names}, "studies": {"many": study}})
    result = fresh.run("results/smoke/cost.csv")
    assert result.returncode == 0, (result.stdout + result.stderr)[-3000:]
    table = pd.read_csv(fresh.folder / "results/smoke/cost.csv").set_index("study")
    assert table.loc["many", "trainings"] == 60 and (table["device_hours"] > 0).all()


def test_whatever_is_as_long_as_a_study_goes_through_a_file():
    """Linux passes no argument of more than 128 KiB."""
    rules = "\n".join(path.read_text() for path in (SCALES.parents[0] / "rules").glob("*.smk"))
    given = re.findall(r"(--\w+ (?:@<\(printf %s )?)\{params\.(?:study|studies|plan|releases):q\}", rules)
    assert len(given) == 15 and all(text.endswith("@<(printf %s ") for text in given)
