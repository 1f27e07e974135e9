"""What a project has that others join: how it is cited, what changed, what runs when something is pushed."""

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_the_citation_is_of_this_version_and_names_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == VERSION and citation["license"] == "MIT"
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    paper, blog = citation["references"]
    assert paper["title"] == "Asymmetric Flow Models" and len(paper["authors"]) == 5 and blog["type"] == "blog"
    assert all({"type", "title", "authors"} <= reference.keys() for reference in citation["references"])


def test_the_changelog_has_this_version():
    assert f"\n## [{VERSION}]" in (ROOT / "CHANGELOG.md").read_text()


def test_what_runs_when_something_is_pushed_is_the_script_that_runs_anywhere():
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    (job,) = jobs.values()
    assert job["timeout-minutes"] == 60
    assert [step["run"] for step in job["steps"] if ".ci/run" in step.get("run", "")]
    assert (ROOT / ".ci/run").stat().st_mode & 0o111


@pytest.mark.parametrize("uv", ["there", "not there"])
def test_the_script_installs_what_is_not_there_and_goes_on_without_a_browser(tmp_path, uv):
    """By commands that note how they are called; a package manager knows no browser."""
    commands = {
        "python3": f'echo "$*" >> {tmp_path}/asked; [ "$*" != "-m uv --version" ] || [ "{uv}" = there ]',
        "apt-get": "exit 100",
        "id": "echo 0",
    }
    for name, does in commands.items():
        (tmp_path / name).write_text(f"#!{shutil.which('sh')}\n{does}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "dirname").symlink_to(shutil.which("dirname"))
    command = [shutil.which("bash"), ROOT / ".ci/run"]
    result = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert ("-m pip install --quiet uv" in asked) == (uv == "not there")
    assert asked[-2:] == ["-m uv run pytest", "-m uv run pytest -m slow and not faults and not cluster"]
    assert "no browser: its tests are skipped" in result.stdout


def test_hooks_take_the_versions_of_the_project():
    """Through uv by its own name: under pre-commit, python3 is that of its environment, which has no uv. A repository of
    hooks would bring versions of its own.
    """
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    for hook in repositories[0]["hooks"]:
        assert hook["entry"].startswith("uv "), hook["id"]
        assert "uv run " in hook["entry"] or "@" in hook["entry"] or "==" in hook["entry"], hook["id"]
