"""A training that is killed and started again ends with the same bytes as one that is not."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest
import torch
from board import grids

from asymflow.config.arm import Arm
from asymflow.config.jit import JiT
from asymflow.config.representation import Representation
from asymflow.config.start import Start
from asymflow.config.subspace import Subspace
from asymflow.config.targets.asymmetric import Asymmetric
from asymflow.config.training import Training
from asymflow.data.reader import ShardReader
from asymflow.stages.fit_subspace import fit
from asymflow.subspace.file import save
from asymflow.tensors import describe, load
from asymflow.training.stopping import TRY_AGAIN, ends

ARM = Arm(
    target=Asymmetric(rank=4),
    representation=Representation(patch_size=8),
    network=JiT(size="tiny", width=64, dropout=0.1),
    start=Start(pca=4),
    training=Training(
        images=640, batch=8, micro_batch=4, warmup_images=16, averages=("ema_64", "ema_256", "power_7"), checkpoint_images=24,
        log_images=8, flip=True, compile="off", precision="float32",
    ),
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def nobody_limits():
    """The time of the processes that are started here, however these tests are run."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in ("SLURM_JOB_ID", "SLURM_JOB_END_TIME", "ASYMFLOW_MINUTES"):
            monkeypatch.delenv(name, raising=False)
        yield


class Stage:
    """The train stage in processes of their own, which can be killed."""

    def __init__(self, folder, data):
        self.folder, self.data = folder, data
        save(fit("pca", ShardReader(data / "train.json"), 8, "rgb", Subspace()), folder / "pca.safetensors")

    def start(self, name, arm=ARM, launcher=(), previews=4):
        out = self.folder / name
        options = {
            "--arm": arm.model_dump_json(exclude_none=True), "--seed": "3", "--data": self.data / "train.json",
            "--state": out / "state", "--previews": previews,
            "--subspace": self.folder / "pca.safetensors", "--pca": self.folder / "pca.safetensors",
            "--model": out / "model.safetensors", "--snapshots": out / "snapshots",
            "--curve": out / "curve.jsonl", "--summary": out / "train.json",
        }  # fmt: skip
        command = [
            sys.executable,
            *launcher,
            "-m",
            "asymflow.stages.train",
            *(str(x) for pair in options.items() for x in pair),
        ]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def finish(self, name, arm=ARM, previews=4):
        process = self.start(name, arm, previews=previews)
        output, _ = process.communicate()
        return process.returncode, output

    def interrupt(self, name, number, images, arm=ARM):
        """Starts the stage and sends it a signal once it has saved what it was after so many images."""
        process, saved = self.start(name, arm), self.folder / name / "state" / "checkpoint.safetensors"
        while process.poll() is None and _reached(saved) < images:
            time.sleep(0.01)
        assert process.poll() is None, process.communicate()  # what is over cannot be interrupted
        process.send_signal(number)
        output, _ = process.communicate()
        return output

    def model(self, name):
        return (self.folder / name / "model.safetensors").read_bytes()

    def losses(self, name):
        lines = (self.folder / name / "curve.jsonl").read_text().splitlines()
        return [(point["images"], point["loss"]) for point in map(json.loads, lines)]


def _reached(saved):
    return describe(saved, "checkpoint")["progress"]["images"] if saved.exists() else 0


@pytest.fixture(scope="module")
def stage(tmp_path_factory, tiny_data):
    return Stage(tmp_path_factory.mktemp("resume"), tiny_data)


@pytest.fixture(scope="module")
def uninterrupted(stage):
    code, output = stage.finish("whole")
    assert code == 0, output
    return stage.model("whole"), stage.losses("whole")


def test_grids_of_samples_change_no_bit_of_a_training(stage, uninterrupted):
    code, output = stage.finish("unseen", previews=0)
    assert code == 0, output
    assert (stage.model("unseen"), stage.losses("unseen")) == uninterrupted
    assert grids(stage.folder / "unseen") == []
    shown = grids(stage.folder / "whole")
    assert [images for images, _ in shown] == [160, 320, 480, 640]
    assert all(grid.shape == (18, 4 * 18, 3) for _, grid in shown), "as many images as a forward pass may have"


@pytest.mark.slow
def test_killed_at_random_steps_it_ends_bit_identical(stage, uninterrupted):
    moments = sorted(random.Random(0).sample(range(40, 400), 3))  # early enough for a busy machine to see it
    for images in moments:
        stage.interrupt("killed", signal.SIGKILL, images)
    code, output = stage.finish("killed")
    assert code == 0 and "resuming after" in output, output
    assert (stage.model("killed"), stage.losses("killed")) == uninterrupted
    assert not (stage.folder / "killed" / "state").exists(), "a finished run must leave nothing to resume from"
    shown, whole = grids(stage.folder / "killed"), grids(stage.folder / "whole")
    assert [images for images, _ in shown] == [160, 320, 480, 640], "each is there, once"
    assert all((one == other).all() for (_, one), (_, other) in zip(shown, whole, strict=True))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_polite_signal_saves_first(stage, uninterrupted, number):
    name = f"asked_{number.name}"
    output = stage.interrupt(name, number, 100)
    assert "run it again to continue" in output
    code, output = stage.finish(name)
    assert code == 0 and "resuming after" in output, output
    assert (stage.model(name), stage.losses(name)) == uninterrupted


@pytest.mark.slow
def test_a_training_that_takes_several_time_limits_ends_bit_identical(stage, uninterrupted, monkeypatch):
    """A tenth of a minute is less than what is spared: each run gets one update further and says so with a status of its own."""
    monkeypatch.setenv("ASYMFLOW_MINUTES", "0.1")
    for images in (8, 16, 24):
        code, output = stage.finish("limited")
        assert code == TRY_AGAIN and f"nearly over: saved after {images} of 640 images" in output, output
    monkeypatch.delenv("ASYMFLOW_MINUTES")
    code, output = stage.finish("limited")
    assert code == 0 and "resuming after 24 images" in output, output
    assert (stage.model("limited"), stage.losses("limited")) == uninterrupted


@pytest.mark.parametrize("says, expected", [("2026-11-28T05:12:00", True), ("NONE", False), ("", False)])
def test_a_slurm_that_says_no_end_to_its_jobs_is_asked(tmp_path, monkeypatch, capsys, says, expected):
    """Before 23.02 the environment of a job does not have it."""
    (tmp_path / "squeue").write_text(f'#!/bin/sh\n[ "$*" = "--noheader --jobs 17 --format %e" ] && echo {says}\n')
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    assert ends() == (datetime(2026, 11, 28, 5, 12).timestamp() if expected else None)
    assert ("SLURM names no end of job 17" in capsys.readouterr().out) != expected
    monkeypatch.setenv("SLURM_JOB_END_TIME", "1234")
    assert ends() == 1234


@pytest.mark.slow
def test_out_of_time_a_job_of_slurm_goes_back_into_its_queue_and_when_it_is_cancelled_it_does_not(
    stage, tmp_path, monkeypatch
):
    said = tmp_path / "said"
    (tmp_path / "scontrol").write_text(f'#!/bin/sh\necho "$@" >> {said}\n')
    (tmp_path / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 86_400))
    assert "asked to stop: saved after" in stage.interrupt("queued", signal.SIGTERM, 24)
    assert not said.exists()
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 5))
    code, output = stage.finish("queued")
    assert code == TRY_AGAIN and "putting job 17 into the queue again" in output, output
    assert said.read_text() == "requeue 17\n"


@pytest.mark.slow
def test_another_configuration_starts_anew_and_says_so(stage):
    stage.interrupt("changed", signal.SIGKILL, 100)
    other = ARM.model_copy(update={"training": ARM.training.model_copy(update={"lr": 2e-3, "images": 64})})
    code, output = stage.finish("changed", other)
    assert code == 0, output
    assert "starting from the beginning: the checkpoint was made with another configuration" in output


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(stage):
    wild = ARM.model_copy(
        update={"training": ARM.training.model_copy(update={"lr": 10.0, "weight_decay": 10.0, "warmup_images": 8})}
    )
    code, output = stage.finish("wild", wild)
    assert code != 0
    assert re.search(r"error: (loss|gradient_norm) became (inf|nan) at update", output), output
    assert "Lower training.lr" in output
    assert not (stage.folder / "wild" / "model.safetensors").exists()


TWO = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
# without dropout, whose masks are each process's own, and without flips of sign by AdamW's first, tiny updates
PLAIN = ARM.model_copy(
    update={
        "network": JiT(size="tiny", width=64),
        "training": ARM.training.model_copy(update={"images": 64, "gradient_clip": 0.5, "snapshots": 2}),
    }
)
SHARDED = PLAIN.model_copy(update={"training": PLAIN.training.model_copy(update={"shard": True})})


def _weights(stage, name):
    return load(stage.folder / name / "model.safetensors", "model")


def _agree(one, other):
    """To the rounding of sums over a batch in another order, which eight updates of Adam enlarge.

    Where a gradient is next to nothing, its sign is a matter of rounding too, and Adam moves by whole steps: one entry in a
    thousand may lie apart, but not most of a tensor.
    """
    assert one.keys() == other.keys()
    apart = [~torch.isclose(one[name], other[name], rtol=1e-3, atol=2e-5) for name in one]
    assert max(entries.double().mean() for entries in apart) <= 0.5
    return torch.cat([entries.flatten() for entries in apart]).double().mean() <= 1e-3


@pytest.fixture(scope="module")
def alone(stage):
    code, output = stage.finish("alone", PLAIN)
    assert code == 0, output
    return _weights(stage, "alone"), stage.losses("alone")


@pytest.mark.slow
@pytest.mark.parametrize("arm", [PLAIN, SHARDED], ids=["replicated", "sharded"])
def test_two_processes_make_what_one_makes(stage, alone, arm):
    """torchrun with no other change than its resources: noise, weights, averages and curve are those of a single process."""
    name = f"two_{arm.training.shard}"
    output, _ = (process := stage.start(name, arm, TWO)).communicate()
    assert process.returncode == 0 and "2 process(es)" in output, output
    weights, curve = alone
    assert _agree(_weights(stage, name), weights)
    assert [images for images, _ in stage.losses(name)] == [images for images, _ in curve] == list(range(8, 65, 8))
    for (_, loss), (_, expected) in zip(stage.losses(name), curve, strict=True):
        assert loss == pytest.approx(expected, rel=1e-4)
    first, other = (json.loads((stage.folder / n / "train.json").read_text())["parameters"] for n in (name, "alone"))
    assert first == other
    kept = [path.name for path in sorted((stage.folder / name / "snapshots").iterdir())]
    assert kept == ["0001.safetensors", "0002.safetensors"]
    skipped = "no grids of samples on the way: no process has all weights of a sharded network"
    assert output.count(skipped) == arm.training.shard
    shown = [images for images, _ in grids(stage.folder / name)]
    assert shown == ([] if arm.training.shard else [16, 32, 48, 64])


@pytest.mark.slow
@pytest.mark.parametrize(
    "first, then, arm", [([], TWO, PLAIN), (TWO, [], SHARDED)], ids=["one_then_two", "two_sharded_then_one"]
)
def test_a_training_goes_on_with_another_number_of_processes(stage, alone, first, then, arm, monkeypatch):
    name = f"changed_number_{len(first)}_{arm.training.shard}"
    monkeypatch.setenv("ASYMFLOW_MINUTES", "0.01")  # an update each time
    for _ in range(2):
        output, _ = (process := stage.start(name, arm, first)).communicate()
        assert process.returncode and "nearly over: saved" in output, output
    monkeypatch.delenv("ASYMFLOW_MINUTES")
    output, _ = (process := stage.start(name, arm, then)).communicate()
    assert process.returncode == 0 and "resuming after 16 images" in output, output
    assert _agree(_weights(stage, name), alone[0])


@pytest.mark.slow
def test_a_signal_to_one_of_several_processes_saves_and_stops_them_all(stage):
    """To the one that does not save, as it happens when a cluster takes a node: all agree, so that the other one saves."""
    process, saved = (
        stage.start("agreed", launcher=TWO),
        stage.folder / "agreed" / "state" / "checkpoint.safetensors",
    )
    while process.poll() is None and _reached(saved) < 40:
        time.sleep(0.01)
    before = _reached(saved)
    os.kill(next(child for child in _children(process.pid) if _variable(child, "RANK") == "1"), signal.SIGTERM)
    output, _ = process.communicate()
    assert process.returncode != 0 and output.count("asked to stop: saved after") == 2, output
    assert before <= _reached(saved) < 640
    process = stage.start("agreed", launcher=TWO)
    output, _ = process.communicate()
    assert process.returncode == 0 and "resuming after" in output, output


@pytest.mark.slow
def test_a_process_that_hangs_ends_the_others_and_the_next_run_goes_on(stage, uninterrupted, monkeypatch):
    monkeypatch.setenv("ASYMFLOW_PATIENCE", "40")
    process, saved = stage.start("hung", launcher=TWO), stage.folder / "hung" / "state" / "checkpoint.safetensors"
    while process.poll() is None and _reached(saved) < 40:
        time.sleep(0.01)
    hung = next(child for child in _children(process.pid) if _variable(child, "RANK") == "1")
    os.kill(hung, signal.SIGSTOP)
    try:
        output, _ = process.communicate()
    finally:
        with suppress(ProcessLookupError):
            os.kill(hung, signal.SIGKILL)
    assert process.returncode != 0
    assert "error: process 0 of 2: another process of this job has ended, or gave no answer for 40 s" in output, output
    assert "Traceback" not in output.split("error: process 0")[0]
    process = stage.start("hung", launcher=TWO)
    output, _ = process.communicate()
    assert process.returncode == 0 and "resuming after" in output, output


def _children(parent):
    """The processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="utf-8").split()]


def _variable(process, name):
    environment = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    return next(
        (entry.partition(b"=")[2].decode() for entry in environment if entry.startswith(f"{name}=".encode())), None
    )


@pytest.mark.slow
def test_snapshots_are_kept_through_a_kill_and_hold_what_had_been_seen(stage):
    parts = ARM.model_copy(update={"training": ARM.training.model_copy(update={"snapshots": 4})})
    stage.finish("parts", parts)
    stage.interrupt("parts_killed", signal.SIGKILL, 300, parts)
    stage.finish("parts_killed", parts)
    folders = [stage.folder / name / "snapshots" for name in ("parts", "parts_killed")]
    whole, killed = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)
    assert whole == killed and len(whole) == 4
    seen = [describe(folders[0] / f"{number:04d}.safetensors", "model")["images"] for number in (1, 2, 3, 4)]
    assert seen == [160, 320, 480, 640]
    assert whole["0004.safetensors"] == stage.model("parts"), "the last snapshot is the finished model"
