"""What the front page shows has to work, and what it claims has to be in the tables."""

import re
from pathlib import Path

import pandas as pd
import pytest
import torch

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SWEEP = pd.read_csv(ROOT / "docs/tables/rank_sweep.csv").pivot(index="arm", columns="sampling", values="fid_local")
CLAIMS = pd.read_csv(ROOT / "docs/tables/claims.csv").set_index("claim")


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
    assert len(README.splitlines()) < 150


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


VERDICTS = {"holds": "yes", "does not hold": "no", "undecided": "undecided"}
CLAIMED = {  # what its row speaks of, digits, and what it says of a negative and of a positive difference
    "low_rank": ("low ranks", 1, "ahead", "behind"),
    "pca_directions": ("random directions", 1, "behind", "ahead"),
    "velocity_fails": ("velocity prediction fails", 0, "behind", "ahead"),
    "faster": ("faster", 1, "ahead", "behind"),
    "clamp": ("clamp", 1, "less", "more"),
    "learnt_share": ("learnt share", 1, "ahead", "behind"),
}


def check(row, claim, words):
    """Asserts that the front page's text says of a claim what its row of the table says."""
    subject, digits, negative, positive = CLAIMED[claim]
    mean, *ends = (f"{abs(value):.{digits}f}" for value in (row["mean"], row["low"], row["high"]))
    low, high = sorted(ends, key=float)
    phrase = rf"\b{mean} [a-z ]*\({low} to {high}\b"
    (line,) = [line for line in words.splitlines() if re.search(phrase, line) and subject in line.lower()]
    before = line[: re.search(phrase, line).end()].rpartition("(")[0]
    assert re.findall(r"\b(yes|no|undecided)\b", before)[-1] == VERDICTS[row["verdict"]]
    said = re.split(r"\b(?:yes|no|undecided)\b|\)", before)[-1]
    expected, opposite = (negative, positive) if row["mean"] < 0 else (positive, negative)
    assert re.search(rf"\b{expected}\b", said) and not re.search(rf"\b{opposite}\b", said)


@pytest.mark.parametrize("claim", CLAIMED)
def test_what_reproduces_is_what_the_claims_say(claim):
    """The verdict, the difference with its interval as one phrase, and which way it goes."""
    check(CLAIMS.loc[claim], claim, README)


@pytest.mark.parametrize("claim", CLAIMED)
@pytest.mark.parametrize("change", [{"verdict": "undecided"}, {"sign": -1}, {"mean": 50.0}, {"high": 500.0}], ids=str)
def test_a_front_page_that_says_something_else_is_found_out(claim, change):
    row = CLAIMS.loc[claim].copy()
    if "sign" in change:
        row[["mean", "low", "high"]] = -row["mean"], -row["high"], -row["low"]
    else:
        row[list(change)] = list(change.values())
    with pytest.raises((AssertionError, ValueError)):
        check(row, claim, README)


@pytest.mark.parametrize(("claim", "digits"), [("prx_text", 3), ("prx_reconstruction", 3), ("low_pass", 1)])
def test_an_undecided_claim_stands_there_with_its_signs(claim, digits):
    mean, low, high = (f"{CLAIMS[end][claim]:.{digits}f}" for end in ("mean", "low", "high"))
    (line,) = [line for line in README.splitlines() if f" {mean} ({low} to {high}" in line]
    assert CLAIMS.verdict[claim] == "undecided" and "undecided" in line
