"""The lock of a Snakemake that has died is removed; that of one that lives is left alone."""

import socket
import subprocess
import sys

import pytest

from asymflow.workdir import clear_dead_lock

LOOK = """
import sys, time
from pathlib import Path
from asymflow.workdir import clear_dead_lock
clear_dead_lock(Path(sys.argv[1]))
"""
HOLD = f"{LOOK}print(1, flush=True); time.sleep(600)"


@pytest.fixture
def lock(tmp_path):
    """Snakemake's lock in a folder."""
    (tmp_path / ".snakemake" / "locks").mkdir(parents=True)
    (tmp_path / ".snakemake" / "locks" / "0.output.lock").write_text("results/a.csv\n")
    return tmp_path / ".snakemake" / "locks" / "0.output.lock"


def holder(folder):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    return process


def look(folder):
    """Looks at a folder from a process of its own, which holds nothing afterwards."""
    return subprocess.run([sys.executable, "-c", LOOK, str(folder)], capture_output=True, text=True, check=True).stderr


def test_a_dead_one_s_lock_is_removed_and_said(tmp_path, lock):
    assert "has died; its lock is removed" in look(tmp_path)
    assert not lock.exists()
    assert look(tmp_path) == ""


def test_a_living_one_s_lock_stays_until_it_is_killed(tmp_path, lock):
    process = holder(tmp_path)
    lock.parent.mkdir(exist_ok=True)
    lock.write_text("results/a.csv\n")
    assert look(tmp_path) == "" and lock.exists()
    process.kill()
    process.wait()
    assert "has died" in look(tmp_path) and not lock.exists()


def test_one_of_two_that_ends_does_not_take_the_other_s_lock(tmp_path, lock):
    first, second = holder(tmp_path), holder(tmp_path)
    lock.parent.mkdir(exist_ok=True)
    lock.write_text("results/a.csv\n")
    first.kill()
    first.wait()
    assert look(tmp_path) == "" and lock.exists()
    second.kill()
    second.wait()


def test_what_another_host_left_stays_as_its_snakemake_may_live(tmp_path, lock):
    """Some file systems of clusters keep the system's locks to each host."""
    own = tmp_path / ".snakemake/asymflow.lock"
    own.write_text("another-host")
    assert "another-host left its lock here, and may live" in look(tmp_path)
    assert lock.exists() and own.read_text() == "another-host"
    lock.unlink()
    look(tmp_path)
    assert own.read_text() == socket.gethostname(), "it is this one's now"


def test_a_folder_that_cannot_be_written_is_no_obstacle(tmp_path):
    clear_dead_lock(tmp_path / "missing")
