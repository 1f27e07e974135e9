"""Kills and errors of the system at every call by which a stage changes a file: the same command then gives the same bytes.

A subset by default; all of it with `pytest -m faults`.
"""

import json
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from asymflow.config.arm import Arm
from asymflow.config.data import Data
from asymflow.config.embeddings import Embeddings
from asymflow.config.evaluator import Evaluator
from asymflow.config.prompts import Prompts
from asymflow.config.sampling import Sampling
from asymflow.config.scoring import Scoring
from asymflow.config.subspace import Subspace
from asymflow.config.suite import Suite

HERE = Path(__file__).parent
ARM = Arm.model_validate(
    {
        "target": {"rank": 4}, "network": {"kind": "jit", "width": 64}, "start": {"pca": 4},
        "training": {
            "images": 48, "batch": 8, "warmup_images": 8, "checkpoint_images": 16, "log_images": 8, "snapshots": 2,
            "averages": ["ema_16"], "precision": "float32", "compile": "off",
        },
    }
)  # fmt: skip
DATA = Data(image_size=32, train=24, evaluator=24, heldout=24, shard_size=10)
EVALUATOR = Evaluator(
    image_size=16, patch_size=4, stem_width=8, width=16, depth=1, heads=2, images=48, batch=8, precision="float32"
)
SCORING = Scoring(kernel_blocks=2, splits=2, kept=12, batch=8)
SAMPLING = Sampling(count=12, steps=2, batch=5, precision="float32", compile="off")
STAGES = {  # in the order in which they run; the words of each, and what it makes
    "shard": ({"config": DATA, "out-dir": "data", "processes": "1"}, ["data"]),
    "fit_subspace": (
        {"config": Subspace(), "basis": "pca", "patch-size": "16", "colour": "rgb", "data": "data/train.json", "out": "pca"},
        ["pca"],
    ),
    "fit_evaluator": ({"config": EVALUATOR, "data": "data/evaluator.json", "out": "local"}, ["local"]),
    "reference": (
        {"config": SCORING, "evaluator": "local", "data": "data/train.json", "heldout": "data/heldout.json", "out": "reference",
         "floor": "floor.json"},
        ["reference", "floor.json"],
    ),
    "prompts": ({"config": Prompts(count=12), "heldout": "data/heldout.json", "out": "prompts.json"}, ["prompts.json"]),
    "embed_captions": (
        {"config": Embeddings(), "reader": "local", "data": "prompts.json", "evaluator": "local", "out": "captions/prompts.json"},
        ["captions"],
    ),
    "train": (
        {"arm": ARM, "seed": "1", "data": "data/train.json", "subspace": "pca", "pca": "pca", "state": "run/state",
         "model": "run/model", "snapshots": "run/snapshots", "curve": "run/curve.jsonl", "summary": "run/train.json"},
        ["run"],
    ),
    "sample": (
        {"sampling": SAMPLING, "asks": "classes", "model": "run/model", "samples": "drawn/samples.npy",
         "summary": "drawn/samples.json"},
        ["drawn"],
    ),
    "score": (
        {"judge": "distribution", "config": Suite(), "samples": "drawn/samples.npy", "summary": "drawn/samples.json",
         "evaluator": "local", "reference": "reference", "out": "scores.json"},
        ["scores.json"],
    ),
}  # fmt: skip
FILES = {"pca", "local", "reference", "run/model"}  # named without the end that they have on the disk
VARYING = {
    "seconds",
    "images_per_second",
    "peak_memory_mib",
    "drawn_now",
    "seconds_per_image",
    "checksum",
    "curve",
    "statistics",
}
FAULTS = ("kill before", "kill after", "ENOSPC", "EIO")
QUICK = 3  # faults of each stage and kind of call in the quick subset


class Server:
    """Talks to the process that runs stages."""

    def __init__(self):
        command = [sys.executable, str(HERE / "server.py")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._say([f"asymflow.stages.{stage}" for stage in STAGES])

    def _say(self, value):
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()

    def run(self, folder, stage, fault=None):
        self._say(
            {"stage": f"asymflow.stages.{stage}", "words": words(folder, stage), "folder": str(folder), "fault": fault}
        )
        return json.loads(self._process.stdout.readline())

    def close(self):
        self._process.stdin.close()
        self._process.wait()


def on_disk(folder: Path, value: str) -> str:
    return str(folder / (f"{value}.safetensors" if value in FILES else value))


def words(folder: Path, stage: str) -> list[str]:
    given = []
    for name, value in STAGES[stage][0].items():
        if not isinstance(value, str):
            value = value.model_dump_json(exclude_none=True)
        elif name not in ("seed", "processes", "basis", "patch-size", "colour", "reader", "asks", "judge"):
            value = on_disk(folder, value)
        given += [f"--{name}", value]
    return given


def made(folder: Path, stage: str) -> dict[str, bytes | str]:
    """What a stage has made, file by file, without what time decides."""
    contents = {}
    for name in STAGES[stage][1]:
        top = Path(on_disk(folder, name))
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and "tensorboard" not in path.parts:
                contents[str(path.relative_to(folder))] = _timeless(path)
    return contents


def _timeless(path: Path) -> bytes | str:
    if path.suffix == ".jsonl":
        points = [json.loads(line) for line in path.read_text().splitlines()]
        return json.dumps([{key: value for key, value in point.items() if key not in VARYING} for point in points])
    if path.suffix == ".json":
        return json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key not in VARYING})
    return path.read_bytes()


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="module")
def undisturbed(server, tmp_path_factory):
    """For each stage, a folder as it finds it, what it makes, and how many calls it takes."""
    folder, found = tmp_path_factory.mktemp("undisturbed") / "work", {}
    folder.mkdir()
    for stage in STAGES:
        before = shutil.copytree(folder, folder.parent / f"before_{stage}")
        answer = server.run(folder, stage)
        assert answer["status"] == 0, answer["said"]
        found[stage] = before, made(folder, stage), answer["counts"]
    return found


def faults(counts: dict[str, int]) -> list[dict]:
    return [
        {"call": call, "number": number, "what": what}
        for call, count in counts.items()
        for number in range(1, count + 1)
        for what in FAULTS
    ]


def check(server, undisturbed, stage, fault, folder):
    """Runs the stage with the fault, then without, and compares."""
    before, expected, _ = undisturbed[stage]
    shutil.copytree(before, folder)
    answer = server.run(folder, stage, fault)
    if fault["what"].startswith("kill"):
        assert answer["status"] in (-signal.SIGKILL, 0), answer
    elif answer["status"] != 0:
        assert "Traceback" not in answer["said"], (fault, answer["said"])
        assert "give the same command again" in answer["said"] and str(folder) in answer["said"], (
            fault,
            answer["said"],
        )
    again = server.run(folder, stage)
    assert again["status"] == 0, (fault, again["said"])
    now = made(folder, stage)
    assert now.keys() == expected.keys(), (fault, now.keys() ^ expected.keys())
    other = {name: (now[name], expected[name]) for name in now if now[name] != expected[name]}
    assert not other, (fault, other)
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_some_faults_of_a_stage_lose_nothing(server, undisturbed, stage, tmp_path):
    chosen, draw = [], random.Random(stage)
    for call, count in undisturbed[stage][2].items():
        listed = faults({call: count})
        chosen += draw.sample(listed, min(QUICK, len(listed)))
    for number, fault in enumerate(chosen):
        check(server, undisturbed, stage, fault, tmp_path / str(number))


@pytest.mark.faults
@pytest.mark.parametrize("stage", STAGES)
def test_every_fault_of_a_stage_loses_nothing(server, undisturbed, stage, tmp_path):
    chosen = faults(undisturbed[stage][2])
    for number, fault in enumerate(chosen):
        check(server, undisturbed, stage, fault, tmp_path / str(number))
    print(f"{stage}: {len(chosen)} faults, {undisturbed[stage][2]}")
