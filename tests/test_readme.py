"""What the README shows has to work."""

import re
from pathlib import Path

import torch

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_training_loop_runs_and_learns():
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    torch.manual_seed(0)
    losses = []
    names = {"losses": losses}
    exec(example.replace("loss.backward()", "losses.append(loss.item()); loss.backward()"), names)
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])
    assert names["samples"].shape == (4, 3, 32, 32) and names["samples"].isfinite().all()


def test_every_file_that_the_readme_names_exists():
    root = Path(__file__).parents[1]
    for path in re.findall(r"\]\((docs/[^)]+)\)", README):
        assert (root / path).exists(), path


def test_the_scripts_of_continuous_integration_call_the_readme_s_test_command():
    assert "python3 -m uv run pytest" in README
    assert "python3 -m uv run pytest" in (Path(__file__).parents[1] / ".ci/run").read_text()
