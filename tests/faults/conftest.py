"""The process that runs stages, and the pipeline as it runs undisturbed; needed by kills, errors and damage alike."""

import shutil
from typing import NamedTuple

import pytest
from faults.pipeline import STEPS, Server, made, steps


class Undisturbed(NamedTuple):
    """A step as it runs undisturbed: the folder that it begins with, what it makes, and how many calls it takes."""

    before: object
    made: dict[str, bytes | str]
    counts: dict[str, int]


@pytest.fixture(scope="session")
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="session")
def undisturbed(server, tmp_path_factory):
    """Each step by name, run after those before it."""
    folder, found = tmp_path_factory.mktemp("undisturbed") / "work", {}
    folder.mkdir()
    for name, step in STEPS.items():
        before = shutil.copytree(folder, folder.parent / f"before_{name}")
        answer = server.run(folder, step)
        assert answer["status"] == 0, (name, answer["said"])
        found[name] = Undisturbed(before, made(folder, step), answer["counts"])
    return found


@pytest.fixture(scope="session")
def another(server, tmp_path_factory):
    """The folder of the same pipeline with another data set and another seed."""
    folder = tmp_path_factory.mktemp("another")
    for name, step in steps(data_seed=1, seed=2).items():
        answer = server.run(folder, step)
        assert answer["status"] == 0, (name, answer["said"])
    return folder


@pytest.fixture(scope="session")
def another_seed(server, tmp_path_factory):
    """The folder of the same pipeline with the same data set and another seed of the training."""
    folder = tmp_path_factory.mktemp("another_seed")
    for name, step in steps(seed=2).items():
        answer = server.run(folder, step)
        assert answer["status"] == 0, (name, answer["said"])
    return folder
