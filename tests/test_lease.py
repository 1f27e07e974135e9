"""GPUs of one host are dealt out to processes, without a GPU."""

import signal
import subprocess
import sys

import pytest
import torch

from asymflow import lease as module
from asymflow import machine
from asymflow.lease import lease

JOB = """
import sys
from pathlib import Path
from asymflow.lease import lease
print(lease(["0", "1", "2", "3"], Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def job(folder):
    """A process that leases one of four devices, says which, and lives until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", JOB, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    return process, process.stdout.readline().strip()


def test_four_jobs_at_a_time_have_a_device_each_and_a_fifth_has_none(tmp_path):
    jobs = [job(tmp_path) for _ in range(5)]
    assert sorted(said for _, said in jobs) == ["0", "1", "2", "3", "None"]
    taken = next(process for process, said in jobs if said == "2")
    taken.send_signal(signal.SIGKILL)
    taken.wait()
    another, said = job(tmp_path)
    assert said == "2", "a device is free as soon as its process is dead, however it died"
    for process, _ in [*jobs, (another, said)]:
        process.kill()
        process.communicate()


def test_locks_are_not_taken_in_a_folder_of_somebody_else_nor_through_a_link(tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "theirs")
    with pytest.raises(PermissionError, match="linked is another user's, so nobody knows which GPUs are taken"):
        lease(["0"], tmp_path / "linked")
    letter = tmp_path / "letter"
    letter.write_text("dear")
    (tmp_path / "theirs/0.lock").symlink_to(letter)
    with pytest.raises(OSError, match="symbolic link"):
        lease(["0"], tmp_path / "theirs")
    assert letter.read_text() == "dear"


@pytest.fixture
def four(monkeypatch, tmp_path):
    """A host of four GPUs, as torch tells of them; gives what was made the current device."""
    current = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: current[-1])
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(module, "_held", [])
    for name in ("SLURM_JOB_ID", "CUDA_VISIBLE_DEVICES", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    machine._place.cache_clear()
    yield current
    machine._place.cache_clear()


def test_a_process_has_the_same_device_whenever_it_asks(four, tmp_path):
    folder = tmp_path / f"asymflow-devices-{module.os.getuid()}"
    assert lease(["0", "1", "2", "3"], folder) == 0  # another's
    assert machine.device() == machine.device() == torch.device("cuda", 1)
    assert lease(["0", "1", "2", "3"], folder) == 2, "asking again takes no other one"


def test_devices_that_were_given_by_name_are_dealt_out_by_name(four, monkeypatch, tmp_path):
    """Two Snakemakes with two devices each mean different devices by their first."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 3")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert machine.device() == torch.device("cuda", 0)
    assert [path.name for path in (tmp_path / f"asymflow-devices-{module.os.getuid()}").iterdir()] == ["2.lock"]


def test_a_machine_with_gpus_takes_products_of_float32_in_float32(four):
    """The recovery of the velocity is one of them: in TF32, with 10 bits, it would be coarser than its denominator allows."""
    assert machine.choose("float32", "off").device.type == "cuda"
    assert torch.get_float32_matmul_precision() == "highest"


def test_judges_convolve_float32_in_float32(four, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)  # torch's default
    machine.device()
    assert not torch.backends.cudnn.allow_tf32


def test_under_slurm_it_steps_back(four, monkeypatch, tmp_path):
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert machine.device() == torch.device("cuda", 3) and not list(tmp_path.iterdir())


def test_processes_of_one_job_of_slurm_that_torchrun_did_not_start_lease_within_the_job(four, monkeypatch, tmp_path):
    """As under `salloc --gpus=4`; another job may call other devices by the same names."""
    assert lease(["0", "1", "2", "3"]) == 0  # of nobody's job
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    assert machine.device() == torch.device("cuda", 0)
    machine._place.cache_clear()
    assert machine.device() == torch.device("cuda", 1)


def test_where_none_is_left_one_is_shared_and_that_is_said(four, capsys, tmp_path):
    for _ in range(4):
        lease(["0", "1", "2", "3"], tmp_path / f"asymflow-devices-{module.os.getuid()}")
    assert machine.device().index in range(4)
    assert "each of the 4 GPUs has a process; sharing one" in capsys.readouterr().out
