"""What a run shows, on a terminal and without one."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from snakemake_logger_plugin_asymflow.jobs import Job

# a second, and then until it is told to end, for a minute at most
WAIT = "sleep 1.1; for i in $(seq 600); do [ -e go ] && break; sleep 0.1; done"
RULES = """
rule all:
    input: "x0.txt", "x1.txt", "bad.txt"
rule make:
    output: "x{seed}.txt"
    log: "x{seed}.log"
    shell: "(echo 'train: 1/2 images (50 %), 9.0 images/s, 0:00:01 left  loss 0.5'; {WAIT}) > {log} 2>&1; touch {output}"
rule bad:
    output: "bad.txt"
    log: "bad.log"
    shell: "(echo 'error: the folder has no images'; exit 1) > {log} 2>&1"
"""
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "wildcards, said",
    [
        ({}, "score"),
        ({"second": ""}, "score"),
        ({"second": "second/"}, "score second"),
        ({"seed": "0"}, "score seed 0"),
    ],
)
def test_a_job_is_called_by_its_rule_and_what_it_is_of(wildcards, said):
    assert str(Job("score", wildcards, None)) == said


@pytest.fixture
def command(tmp_path):
    (tmp_path / "Snakefile").write_text(RULES.replace("{WAIT}", WAIT))
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "COLUMNS": "120", "TERM": "xterm"}
    asked = [sys.executable, "-m", "snakemake", "--logger", "asymflow", "--cores", "2", "--keep-going"]
    return {"args": asked, "cwd": tmp_path, "env": environment}


def test_without_a_terminal_lines_tell_what_begins_ends_and_fails(command):
    (command["cwd"] / "go").touch()
    result = subprocess.run(**command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    said = result.stderr
    assert "begins: make seed 0  (log: x0.log)" in said
    assert re.search(r"done: make seed 1, \d+:(?!00)\d\d\n", said) and "2 of 4 steps done" in said
    assert "failed: bad\nbad.log:\n    error: the folder has no images\nMend it" in said
    assert "\x1b" not in said and "exit 1" not in said, (
        "no colours for a file, and no command as long as its configuration"
    )


def test_on_a_terminal_the_running_jobs_are_shown_as_they_go(command):
    leader, follower = pty.openpty()
    process = subprocess.Popen(**command, stdout=follower, stderr=follower, stdin=follower)
    os.close(follower)
    shown, row = b"", r"make seed 0 +0:\d\d +1/2 images \(50 %\), 9.0 images/s, 0:00:01 left  loss 0.5 +x0.log"
    while True:
        try:
            shown += os.read(leader, 4096)
        except OSError:  # what a terminal says whose other side is closed
            break
        text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode(errors="replace"))
        if re.search(row, text):
            (command["cwd"] / "go").touch()
    process.wait()
    os.close(leader)
    assert re.search(row, text)
    assert "error: the folder has no images" in text and "done: make seed 0" in text
    assert "begins" not in text


def test_a_dry_run_and_a_verbose_one_speak_as_snakemake_does(command):
    dry = subprocess.run(**command | {"args": [*command["args"], "-n"]}, capture_output=True, text=True, check=True)
    assert "Job stats:" in dry.stdout + dry.stderr and "Missing output files" in dry.stdout + dry.stderr
    (command["cwd"] / "go").touch()
    loud = subprocess.run(**command | {"args": [*command["args"], "-p"]}, capture_output=True, text=True, check=False)
    assert "touch x0.txt" in loud.stderr
