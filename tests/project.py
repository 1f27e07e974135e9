"""A copy of the project in a folder of its own, with the smallest study to make there."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
DEFAULT = [
    ROOT / f"workflow/{name}.yaml" for name in ("config", "studies", "claims")
]  # the experiment that is run by itself
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
        said = result.stdout + result.stderr
        assert result.returncode == 0, said
        table = re.search(r"-{3,} +-{3,}\n(.*?)\ntotal", said, re.DOTALL)
        assert table or "Nothing to be done" in said, said
        return {rule: int(count) for rule, count in map(str.split, table[1].splitlines())} if table else {}

    @contextmanager
    def restoring(self, *files: str) -> Iterator[None]:
        """Gives files the content that they had, at the end."""
        content = {file: (self.folder / file).read_bytes() for file in files}
        try:
            yield
        finally:
            for file, had in content.items():
                (self.folder / file).write_bytes(had)

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
