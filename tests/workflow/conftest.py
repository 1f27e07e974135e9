"""A copy of the project to work in, and its smallest study, run once for all tests of the workflow."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TINY = {  # the smoke scale, cut down once more
    "studies": {"rank_sweep": {"arms": ["rank0", "rank8"], "samplings": ["guided"]}},
}
TARGETS = ("results/smoke/rank_sweep.csv", "results/smoke/figures/rank_sweep.png")


class Project:
    """A copy of the project in a folder of its own."""

    overlays = ("workflow/scales/smoke.yaml", "changes.yaml")

    def __init__(self, folder: Path):
        self.folder = folder
        for name in ("src", "workflow", "profiles"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "Snakefile", folder)
        self.overlay({})

    def overlay(self, changes: dict) -> None:
        """Lays `changes` over the smoke scale."""
        (self.folder / "changes.yaml").write_text(yaml.safe_dump(_merge(TINY, changes)))

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "snakemake", *arguments, "--cores", "2", "--configfile", *self.overlays]
        environment = os.environ | {"PYTHONPATH": str(self.folder / "src"), "PATH": _path()}
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def stale(self, *targets: str) -> dict[str, int]:
        """How many jobs of each rule a dry run would start."""
        result = self.run("-n", *targets)
        assert result.returncode == 0, result.stdout + result.stderr
        table = re.search(r"-{3,} +-{3,}\n(.*?)\ntotal", result.stdout + result.stderr, re.DOTALL)
        return {rule: int(count) for rule, count in map(str.split, table[1].splitlines())} if table else {}

    def edit(self, file: str, old: str, new: str) -> None:
        """Replaces text in a source file, which must contain it."""
        path = self.folder / file
        text = path.read_text()
        assert old in text, f"{file} no longer contains {old!r}; this test has to be told what does"
        path.write_text(text.replace(old, new, 1))


def _merge(base: dict, changes: dict) -> dict:
    both = {
        key: _merge(base[key], changes[key]) for key in base.keys() & changes.keys() if isinstance(changes[key], dict)
    }
    return base | changes | both


def _path() -> str:
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="session")
def project():
    """Makes a copy of the project in a folder."""
    return Project


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The project after its smallest study ran from end to end."""
    project = Project(tmp_path_factory.mktemp("finished"))
    result = project.run(*TARGETS)
    assert result.returncode == 0, result.stdout + result.stderr
    return project


@pytest.fixture(scope="session")
def copied(finished):
    """Copies the finished project into a folder, to be edited or gone on with."""

    def copy(folder: Path) -> Project:
        shutil.copytree(finished.folder, folder, symlinks=True)
        project = Project.__new__(Project)
        project.folder = folder
        return project

    return copy


@pytest.fixture
def edited(copied, tmp_path):
    """A copy of the finished project, to be edited."""
    return copied(tmp_path / "copy")


@pytest.fixture
def fresh(tmp_path):
    """A copy of the project in which nothing was made yet."""
    return Project(tmp_path / "fresh")
