"""What a cluster is asked for, by a stand-in for SLURM's commands."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

from asymflow.tensors import load

ROOT = Path(__file__).parents[2]
WORKFLOW = "\n".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
RULES = {block.split(":")[0]: block for block in re.split(r"(?m)^rule ", WORKFLOW)[1:]}  # their text by name
ACCOUNT = "echo my_account"
COMMANDS = {
    "sacctmgr": ACCOUNT,
    "scontrol": "echo none",
    "squeue": "true",
    "sacct": "true",
    "scancel": "true",
    "sinfo": "true",
}


@pytest.fixture
def slurm(tmp_path):
    """A folder of commands that do nothing but note what sbatch was asked for, and that file."""
    folder, asked = tmp_path / "slurm", tmp_path / "asked"
    folder.mkdir()
    for name, does in (COMMANDS | {"sbatch": f'printf "%s\\n" "$*" >> {asked}; echo 77'}).items():
        (folder / name).write_text(f"#!/bin/sh\n{does}\n")
        (folder / name).chmod(0o755)
    return folder, asked


@pytest.mark.slow
def test_a_training_is_asked_of_slurm_as_the_page_says(edited, slurm):
    folder, asked = slurm
    for path in (edited.folder / "results/smoke/runs/rank8/seed0").glob("model.safetensors"):
        path.unlink()
    command = [sys.executable, "-m", "snakemake", "results/smoke/runs/rank8/seed0/model.safetensors"]
    command += ["--workflow-profile", "profiles/slurm", "--configfile", *edited.overlays]
    environment = os.environ | {"PYTHONPATH": str(edited.folder / "src"), "PATH": f"{folder}:{os.environ['PATH']}"}
    with subprocess.Popen(
        command, cwd=edited.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        patience = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < patience:
            if asked.exists() and asked.read_text().endswith("\n"):
                break
            time.sleep(0.2)
        process.kill()
        output = process.stdout.read()
    assert asked.exists(), output
    options = asked.read_text().partition(" --wrap")[0]
    assert re.search(
        r"-A my_account -p gpu -t 1440 --mem 256000 --nodes=1 --requeue --cpus-per-task=64 -D \S+ --gpus=8$", options
    )
    page = " ".join((ROOT / "docs/cluster.md").read_text().split())
    assert (
        "-A my_account -p gpu -t 1440 --mem 256000 --nodes=1 --requeue --cpus-per-task=64 -D ... --gpus=8 --wrap=..."
        in page
    )


def test_each_rule_whose_stage_uses_a_gpu_asks_for_one():
    """Else as many of them as there are cores would share it, and a cluster would run them without."""
    stages = {path.stem: path.read_text() for path in (ROOT / "src/asymflow/stages").glob("*.py")}
    used = {name for name, text in stages.items() if "torch.cuda" in text or "machine." in text}
    used |= {"sample", "search_guidance", "score"}  # through what they load
    assert {name for name in used if "gpu=1" not in RULES[name]} == set()


def test_every_rule_that_asks_for_a_gpu_goes_where_the_gpus_are():
    """And no other: the estimate of costs takes one if there is one, and none otherwise."""
    profile = yaml.safe_load((ROOT / "profiles/slurm/profile.yaml").read_text())["set-resources"]
    sent = {rule for rule, resources in profile.items() if resources.get("slurm_partition") == "gpu"}
    assert sent == {name for name, block in RULES.items() if "gpu=1" in block} - {"cost"}
    several = {rule for rule, resources in profile.items() if resources.get("gpu", 1) > 1}
    assert several and all(profile[rule]["nodes"] == 1 for rule in several)


@pytest.mark.slow
def test_a_host_s_two_gpus_train_one_arm_together(edited):
    """The whole command of the rule, as torchrun gets it: two processes, whose weights are those of one."""
    edited.overlay(
        {"bases": {"scratch": {"training": {"precision": "float32"}}}}
    )  # bfloat16 rounds otherwise, image by image
    model, found = edited.folder / "results/smoke/runs/rank8/seed0/model.safetensors", []
    for processes in (1, 2):
        model.unlink()
        two = ("--set-resources", "train:gpu=2", "--resources", "gpu=2") if processes == 2 else ()
        result = edited.run(str(model.relative_to(edited.folder)), *two)
        log = (model.parent / "train.log").read_text()
        assert result.returncode == 0 and f"{processes} process(es)" in log, result.stderr + log
        found.append(load(model, "model"))
    alone, together = found
    assert together.keys() == alone.keys()
    apart = {name: ~torch.isclose(value, alone[name], rtol=1e-3, atol=2e-5) for name, value in together.items()}
    assert torch.cat([entries.flatten() for entries in apart.values()]).double().mean() <= 1e-3, "to rounding"
    assert not [name for name, entries in apart.items() if entries.double().mean() > 0.5]
