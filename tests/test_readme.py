"""What the front page shows has to work, and what it claims has to be in the tables."""

import re
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from asymflow.report import lengths, tables
from asymflow.report.study import number

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
TABLES = ROOT / "docs/tables"
SWEEP = pd.read_csv(TABLES / "rank_sweep.csv").pivot(index="arm", columns="sampling", values="fid_local")


def test_the_training_loop_runs_and_learns():
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    torch.manual_seed(0)
    losses = []
    names = {"losses": losses}
    exec(example.replace("loss.backward()", "losses.append(loss.item()); loss.backward()"), names)
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])
    assert names["samples"].shape == (4, 3, 32, 32) and names["samples"].isfinite().all()


def test_every_file_that_the_readme_names_exists():
    paths = re.findall(r"\]\((?!https:)([^)#]+)[^)]*\)", README) + re.findall(r'src="([^"]+)"', README)
    assert len(paths) > 20
    for path in paths:
        assert (ROOT / path).is_file(), path


def test_a_visitor_sees_the_picture_the_commands_and_a_table_first():
    first = "\n".join(README.splitlines()[:40])
    assert "docs/rank_sweep.png" in first and "| rank 8, PCA |" in first
    assert first.index("The idea in four lines") < first.index("uv run snakemake") < first.index("| rank 8, PCA |")
    assert len(README.splitlines()) < 180


def test_the_scripts_of_continuous_integration_call_the_readme_s_test_command():
    assert "python3 -m uv run pytest" in README
    assert "python3 -m uv run pytest" in (ROOT / ".ci/run").read_text()


# ----- claims -----


@pytest.mark.parametrize("sampling", ["unguided", "guided"])
def test_what_is_said_below_the_picture_is_in_the_table(sampling):
    """Low ranks are ahead of data prediction, other bases are not, and velocity prediction fails."""
    fid = SWEEP[sampling]
    assert fid[["rank2", "rank4", "rank8"]].max() < fid["rank0"] < fid[["random8", "identity8"]].min()
    assert fid["rank_full"] > 5 * fid.drop("rank_full").max()


def test_every_claim_of_the_documents_has_a_row():
    said = yaml.safe_load((ROOT / "workflow/claims.yaml").read_text())["claims"].values()
    claims = [claim for claim in said if claim["source"].startswith(("Asymmetric Flow Models", "prx-tg"))]
    assert len(claims) == 20 and all(f"\n| {claim['says']} | " in README for claim in claims)


def for_how_long():
    """Ranks after the longest trainings, and after the overnight ones."""
    for _, rows in tables.read(TABLES / "length.csv").groupby("sampling"):
        found = lengths.compared(longest(rows), "fid_local")
        yield found[found["rank"].isin([2, 4, 8])][["difference", "low", "high"]]
    long = tables.read(TABLES / "overnight_rank_sweep.csv").query("sampling == 'unguided'").set_index("arm")
    yield long.loc[["rank8", "random8"], ["fid_local", "fid_local_error"]]


def on_which_images():
    yield difference("cifar10_ranks", "rank0", ["rank8"])


def why():
    means = tables.read(TABLES / "bypass.csv").groupby("arm")[["fid_local"]].mean()
    yield means.loc[["rank_full", "open_full"]]
    yield tables.read(TABLES / "claims.csv").query("claim == 'way_around'")[["mean", "low", "high"]]
    yield from (difference("bypass", f"{network}rank0", [f"{network}rank8"]) for network in ("", "open_", "gained_"))


def what_else():
    yield difference("rivals", "nanodit_rank0", ["nanodit_kdiff_equal"])
    yield difference("overnight_rivals", "nanodit_rank0", ["nanodit_kdiff_equal"], sampling="guided")


def what_prx_tg_measured():
    yield difference("prx_arms", "prx_d", ["prx_g"], "seams")
    yield tables.read(TABLES / "prx_arms.csv").groupby("arm")[["seams"]].mean().loc[["prx_d", "prx_g"]]


@pytest.mark.parametrize(
    ("bullet", "rows"),
    [
        ("For how long.", for_how_long),
        ("On which images.", on_which_images),
        ("Why.", why),
        ("What else to predict.", what_else),
        ("What prx-tg measured.", what_prx_tg_measured),
    ],
)
def test_every_number_that_is_said_below_the_claims_is_of_its_rows(bullet, rows):
    known = {f"{abs(value):.{digits}f}" for found in rows() for value in found.to_numpy().ravel() for digits in (0, 1)}
    said = README.split(f"- **{bullet}**")[1].split("\n- **")[0].split("\n<img")[0]
    numbers = re.findall(r"(?<![\d.,])(\d{1,3}\.\d|\d{3})(?![\d,])", re.sub(r"\b\d+\s+000", "", said))
    assert len(numbers) > 1 and set(numbers) <= known, set(numbers) - known


def longest(rows):
    rows = rows.assign(rank=rows["target.rank"].map(number))
    return rows[rows["images_seen"] == rows["images_seen"].max()]


def difference(name, reference, arms, metric="fid_local", sampling=None):
    rows = tables.read(TABLES / f"{name}.csv").dropna(subset="seed")
    rows = rows[rows["sampling"] == sampling] if sampling else rows
    found = tables.summarise(rows, reference).query(f"metric == '{metric}' and arm in @arms")
    return found[["difference", "difference_low", "difference_high"]]
