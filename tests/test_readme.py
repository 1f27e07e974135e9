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


def said(words):
    """The numbers in the one line of the README that has these words."""
    (line,) = [line for line in README.splitlines() if words in line]
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?", line)]


@pytest.mark.parametrize(
    "words, claim, verdict, digits",
    [
        ("low ranks beat data prediction", "low_rank", "holds", 1),
        ("random directions will not do", "pca_directions", "holds", 1),
        ("random directions will not do", "velocity_fails", "holds", 0),
        ("it converges faster", "faster", "holds", 1),
        ("it converges faster", "clamp", "does not hold", 1),
        ("AsymFlow helps prx-tg", "prx_text", "undecided", 3),
        ("AsymFlow helps prx-tg", "prx_reconstruction", "undecided", 3),
    ],
)
def test_what_reproduces_is_what_the_claims_say(words, claim, verdict, digits):
    """The difference, its interval, and the verdict."""
    row = CLAIMS.loc[claim]
    expected = {round(abs(value), digits) for value in (row["mean"], row["low"], row["high"])}
    assert row["verdict"] == verdict and expected <= set(said(words))
