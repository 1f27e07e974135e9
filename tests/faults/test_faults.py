"""Kills and errors of the system at each call by which a stage changes a file: the same command then gives the same bytes.

A subset by default; all of it with `pytest -m faults`.
"""

import random
import shutil
import signal
from itertools import chain
from pathlib import Path

import pytest
from faults.pipeline import LEFT_OUT, STEPS, made

ROOT = Path(__file__).parents[2]
FAULTS = ("kill before", "kill after", "ENOSPC", "EIO")
MOST = 100  # calls of a kind; a training writes a thousand tensors, a figure as many lines, one like the other
QUICK = 2  # faults of each step and kind of call in the quick subset
CHOSEN = [name for name in STEPS if not name.endswith(("_train", "_heldout", "_text"))]  # each stage once


def faults(counts: dict[str, int]) -> list[dict]:
    """Every fault at every call; of a kind of call that a stage makes very often, at so many of them, evenly."""
    return [
        {"call": call, "number": number, "what": what}
        for call, count in counts.items()
        for number in range(1, count + 1, -(-count // MOST))
        for what in FAULTS
    ]


def check(server, undisturbed, name, fault, folder):
    """Runs the step with the fault, then without, and compares."""
    step, expected = STEPS[name], undisturbed[name].made
    shutil.copytree(undisturbed[name].before, folder)
    answer = server.run(folder, step, fault)
    assert answer["reached"], (fault, answer)
    if fault["what"].startswith("kill"):
        assert answer["status"] == -signal.SIGKILL, (fault, answer)
    elif answer["status"] == 0:  # of a call that the result does not depend on
        assert made(folder, step) == expected, fault
    else:
        said = answer["said"]
        assert "Traceback" not in said, (fault, said)
        assert "give the same command again" in said and str(folder) in said, (fault, said)
    again = server.run(folder, step)
    assert again["status"] == 0, (fault, again["said"])
    now = made(folder, step)
    assert now.keys() == expected.keys(), (fault, now.keys() ^ expected.keys())
    other = {file: (now[file], expected[file]) for file in now if now[file] != expected[file]}
    assert not other, (fault, other)
    shutil.rmtree(folder)


def test_a_stage_is_in_the_pipeline_or_said_to_be_left_out():
    stages = [path.stem for path in (ROOT / "src/asymflow/stages").glob("[!_]*.py")]
    assert sorted(stages) == sorted([*{step.stage for step in STEPS.values()}, *chain(*LEFT_OUT.values())])


@pytest.mark.slow
@pytest.mark.parametrize("name", CHOSEN)
def test_some_faults_of_a_stage_lose_nothing(server, undisturbed, name, tmp_path):
    chosen, draw = [], random.Random(name)
    for call, count in undisturbed[name].counts.items():
        listed = faults({call: count})
        chosen += draw.sample(listed, min(QUICK, len(listed)))
    assert chosen
    for number, fault in enumerate(chosen):
        check(server, undisturbed, name, fault, tmp_path / str(number))


@pytest.mark.faults
@pytest.mark.parametrize("name", CHOSEN)
def test_every_fault_of_a_stage_loses_nothing(server, undisturbed, name, tmp_path):
    chosen = faults(undisturbed[name].counts)
    assert chosen
    for number, fault in enumerate(chosen):
        check(server, undisturbed, name, fault, tmp_path / str(number))
    print(f"{name}: {len(chosen)} faults, {undisturbed[name].counts}")
