"""The project's smallest study, run once for all tests of the workflow."""

import shutil
from pathlib import Path

import pytest
from once import made_once
from project import TARGETS, Project


@pytest.fixture(scope="session")
def project():
    """Makes a copy of the project in a folder."""
    return Project


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The project after its smallest study ran from end to end: a copy for each worker, of one run."""

    def make(folder: Path) -> None:
        result = Project(folder).run(*TARGETS)
        assert result.returncode == 0, result.stdout + result.stderr

    project = Project.__new__(Project)
    project.folder = tmp_path_factory.mktemp("finished") / "copy"
    shutil.copytree(made_once(tmp_path_factory, "finished", make), project.folder, symlinks=True)
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
