"""A real SLURM runs the study, and whatever it does to a training, the weights are those of an undisturbed one.

Not in the default run: `pytest -n 0 -m cluster tests/cluster`, as root, takes about 40 minutes, many of them SLURM's own waiting:
a job that it has requeued rests two minutes.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from project import Project

from asymflow.tensors import describe, load

pytestmark = pytest.mark.cluster
RUN = "results/smoke/runs/rank8/seed0"
MODEL, LOG, CHECKPOINT = f"{RUN}/model.safetensors", f"{RUN}/train.log", f"{RUN}/state/checkpoint.safetensors"
PROBE = {"images": 4096, "warmup_images": 16, "checkpoint_images": 512, "log_images": 512}
SECONDS = 150  # of a long training, undisturbed: what begins and ends five limits of a minute leaves them half of it


class Study(Project):
    """The project with its profile for SLURM filled in, and a training of so many images."""

    def __init__(self, folder: Path, cluster, training: dict | None = None, **train):
        super().__init__(folder)
        self.cluster = cluster
        self.overlay({"bases": {"scratch": {"training": training or {}}}})
        path = folder / "profiles/slurm/profile.yaml"
        profile = yaml.safe_load(path.read_text())
        profile["default-resources"] |= {"mem_mb": 2000}
        profile["set-resources"] = {
            rule: resources | {"gpu": 1, "nodes": 1, "runtime": 30, "mem_mb": 4000}
            for rule, resources in profile["set-resources"].items()
        }
        profile["set-resources"]["train"] |= train
        profile["set-threads"] = dict.fromkeys(profile["set-threads"], 1)
        profile |= {"slurm-init-seconds-before-status-checks": 3, "retries": 0}
        path.write_text(yaml.safe_dump(profile))

    def start(self, *targets: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "snakemake", *targets, "--workflow-profile", "profiles/slurm"]
        command += ["--configfile", *self.overlays]
        path = f"{Path(sys.executable).parent}:{self.cluster.environment['PATH']}"
        environment = self.cluster.environment | {"PYTHONPATH": str(self.folder / "src"), "PATH": path}
        with open(self.folder / "shown.txt", "a", encoding="utf-8") as shown:
            return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=shown, stderr=subprocess.STDOUT)

    def finish(self, process: subprocess.Popen, seconds: float = 1200) -> None:
        try:
            process.wait(timeout=seconds)
        finally:
            process.kill()
        assert process.returncode == 0, (self.folder / "shown.txt").read_text() + self.log()

    def log(self) -> str:
        return (self.folder / LOG).read_text() if (self.folder / LOG).exists() else ""

    def weights(self) -> bytes:
        return (self.folder / MODEL).read_bytes()

    def wait_for_training(self, images: int, seconds: float = 300) -> tuple[str, str]:
        """Returns job and node of the training as soon as it has saved what it was after so many images."""
        saved = self.folder / CHECKPOINT

        def reached() -> bool:
            return saved.exists() and describe(saved, "checkpoint")["progress"]["images"] >= images

        self.cluster.wait_until(reached, seconds, f"checkpoint after {images} images")
        job = next(job for job, (_, _, comment) in self.cluster.jobs().items() if "rule_train" in comment)
        return job, self.cluster.ask("squeue", "-h", "-j", job, "-o", "%N")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, cluster):
    """Data and bases, which all trainings of this module have in common, and a long training that nobody disturbs."""
    probe = Study(tmp_path_factory.mktemp("probe") / "study", cluster, PROBE)
    probe.finish(probe.start(MODEL))
    rate = json.loads((probe.folder / RUN / "train.json").read_text())["images_per_second"]
    long = PROBE | {"images": round(rate * SECONDS / 512) * 512}
    study = Study(tmp_path_factory.mktemp("undisturbed") / "study", cluster, long)
    study.training = long
    study.finish(study.start(MODEL))
    return study


@pytest.fixture
def study(prepared, tmp_path):
    """The same before that training."""

    def make(**train) -> Study:
        made = Study(tmp_path / "study", prepared.cluster, prepared.training, **train)
        for name in ("data", "subspace"):
            subprocess.run(["cp", "-a", prepared.folder / "results/smoke" / name, _made(made.folder)], check=True)
        subprocess.run(["cp", "-a", prepared.folder / ".snakemake", made.folder], check=True)
        return made

    return make


def _made(folder: Path) -> Path:
    results = folder / "results/smoke"
    results.mkdir(parents=True, exist_ok=True)
    return results


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The smoke study's training by one process, without SLURM."""
    project = Project(tmp_path_factory.mktemp("alone") / "project")
    result = project.run(MODEL)
    assert result.returncode == 0, result.stdout + result.stderr
    return project.folder / MODEL


def test_the_smoke_study_runs_from_the_profile(cluster, alone, tmp_path):
    study = Study(tmp_path / "study", cluster)
    study.finish(study.start("results/smoke/rank_sweep.csv"))
    assert study.weights() == alone.read_bytes(), "the bytes do not depend on who runs the job"
    assert (study.folder / "results/smoke/rank_sweep.csv").stat().st_size > 0


def test_two_nodes_train_together(cluster, alone, tmp_path):
    resources = {"gpu": 4, "nodes": 2, "mpi": "srun", "tasks": 2, "tasks_per_gpu": 0}
    study = Study(tmp_path / "study", cluster, **resources, slurm_extra="--gpus-per-node=2")
    study.finish(study.start(MODEL))
    assert "4 process(es)" in study.log()
    together, expected = load(study.folder / MODEL, "model"), load(alone, "model")
    assert together.keys() == expected.keys()
    for name, value in together.items():
        assert torch.allclose(value, expected[name], rtol=1e-3, atol=2e-5), name


def test_a_training_that_needs_five_time_limits_finishes_by_itself(study, prepared):
    limited = study(runtime=1)
    process, restarts = limited.start(MODEL), 0
    while process.poll() is None:
        counts = [int(count) for _, count, comment in prepared.cluster.jobs().values() if "rule_train" in comment]
        restarts = max(restarts, *counts, 0)
        time.sleep(1)
    limited.finish(process)
    print(f"{restarts} times requeued")
    assert restarts >= 4
    assert limited.weights() == prepared.weights()


def test_a_cancelled_training_counts_as_failed_and_the_next_run_goes_on(study, prepared):
    cancelled = study()
    process = cancelled.start(MODEL)
    job, _ = cancelled.wait_for_training(2048)
    prepared.cluster.ask("scancel", job)
    began = time.monotonic()
    assert process.wait(timeout=180) != 0
    print(f"Snakemake ended {time.monotonic() - began:.0f} s after scancel")
    cancelled.finish(cancelled.start(MODEL))
    assert "resuming after" in cancelled.log()
    assert cancelled.weights() == prepared.weights()


def test_a_training_whose_node_dies_goes_on_elsewhere_by_itself(study, prepared):
    orphaned = study()
    process = orphaned.start(MODEL)
    _, node = orphaned.wait_for_training(2048)
    prepared.cluster.kill(node)
    try:
        orphaned.finish(process)
    finally:
        prepared.cluster.start(node)
    assert "resuming after" in orphaned.log()
    assert orphaned.weights() == prepared.weights()


def test_a_preempted_training_goes_on_when_its_turn_comes_again(study, prepared):
    preempted, cluster = study(), prepared.cluster
    process = preempted.start(MODEL)
    preempted.wait_for_training(2048)
    urgent = cluster.ask("sbatch", "--parsable", "-p", "urgent", "-N2", "--exclusive", "-t", "5", "--wrap", "sleep 20")
    cluster.wait_until(lambda: cluster.jobs().get(urgent, ("",))[0] == "R", 120, "urgent job that runs")
    preempted.finish(process)
    assert "resuming after" in preempted.log()
    assert preempted.weights() == prepared.weights()
