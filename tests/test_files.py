"""Results appear whole or not at all, whatever happens to their writer, and two writers keep out of each other's way."""

import ast
import errno
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from asymflow import files
from asymflow.files import atomic, checksum, explained, folder, locked, writing

ROOT = Path(__file__).parents[1]


def write(path, content):
    with writing(path) as file:
        file.write(content)


def names(path):
    return sorted(entry.name for entry in path.iterdir())


def script(text, *arguments):
    """A process that runs a script of its own."""
    command = [
        sys.executable,
        "-c",
        f"from asymflow.files import *; import sys, time, os\n{text}",
        *map(str, arguments),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_file_appears_with_its_folder_and_leaves_nothing_beside_it(tmp_path):
    write(tmp_path / "new" / "a.txt", b"whole")
    assert (tmp_path / "new" / "a.txt").read_bytes() == b"whole"
    assert names(tmp_path / "new") == ["a.txt"]


def test_a_failed_writer_leaves_the_old_file(tmp_path):
    write(tmp_path / "a.txt", b"old")
    with pytest.raises(RuntimeError), writing(tmp_path / "a.txt") as file:
        file.write(b"half")
        raise RuntimeError
    assert (tmp_path / "a.txt").read_bytes() == b"old"
    assert names(tmp_path) == ["a.txt"]


def test_the_temporary_name_keeps_the_suffix_and_hides(tmp_path):
    with atomic(tmp_path / "a.png") as temporary:
        assert temporary.suffix == ".png" and temporary.name.startswith(".")
        temporary.touch()


def test_what_a_killed_writer_left_is_gone_after_the_next(tmp_path):
    text = "with writing(sys.argv[1]) as file: file.write(b'half'); file.flush(); print(1, flush=True); time.sleep(600)"
    process = script(text, tmp_path / "a.txt")
    process.stdout.readline()
    process.kill()
    process.wait()
    assert names(tmp_path) == [".a.partial.txt", ".a.txt.lock"]
    write(tmp_path / "a.txt", b"whole")
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_the_mode_is_what_the_umask_says_also_of_writers_that_keep_files_to_themselves(tmp_path, mask):
    old = os.umask(mask)
    try:
        with atomic(tmp_path / "a.bin") as temporary:
            temporary.touch(mode=0o600)
        assert stat.S_IMODE((tmp_path / "a.bin").stat().st_mode) == 0o666 & ~mask
    finally:
        os.umask(old)


def test_bytes_reach_the_disk_before_the_name_and_the_name_before_the_end(tmp_path, monkeypatch):
    done = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda handle: (done.append(os.readlink(f"/proc/self/fd/{handle}")), fsync(handle))
    )
    monkeypatch.setattr(os, "replace", lambda *paths: (done.append("moved"), replace(*paths)))
    write(tmp_path / "a.txt", b"whole")
    assert done == [str(tmp_path / ".a.partial.txt"), "moved", str(tmp_path)]


@pytest.mark.parametrize("call", ["fsync", "replace", "close"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_an_error_of_the_system_leaves_the_old_file_and_names_the_new_one(tmp_path, monkeypatch, call, number):
    write(tmp_path / "a.txt", b"old")
    real, calls = getattr(os, call), []

    def fails(*arguments):
        calls.append(arguments)
        if call == "close":  # closes and says that it could not write; the lock's file is closed after that
            real(*arguments)
        if len(calls) == 1:
            raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched, pytest.raises(OSError) as caught:
        patched.setattr(files.os, call, fails)
        write(tmp_path / "a.txt", b"new")
    assert caught.value.errno == number and str(tmp_path / "a.txt") in explained(caught.value)
    assert "then give the same command again" in explained(caught.value)
    assert (tmp_path / "a.txt").read_bytes() == b"old"


def test_a_library_that_swallows_the_number_of_an_error_still_gets_a_remedy(tmp_path):
    with pytest.raises(OSError) as caught, atomic(tmp_path / "a.bin"):
        raise OSError("problem writing element 36864 to file: No space left on device")
    assert (
        explained(caught.value)
        == f"{tmp_path / 'a.bin'}: the disk is full; free some space, then give the same command again"
    )


def test_a_folder_takes_the_place_of_the_old_one_whole(tmp_path):
    for content in ("old", "new"):
        with folder(tmp_path / "a") as temporary:
            (temporary / "inner").mkdir()
            (temporary / "inner" / content).write_text(content)
    assert names(tmp_path) == ["a"] and names(tmp_path / "a" / "inner") == ["new"]
    with pytest.raises(RuntimeError), folder(tmp_path / "a") as temporary:
        (temporary / "half").touch()
        raise RuntimeError
    assert names(tmp_path) == ["a"] and names(tmp_path / "a" / "inner") == ["new"]


def test_a_second_process_waits_and_says_for_whom(tmp_path):
    path = tmp_path / "state"
    with locked(path):
        process = script("with locked(sys.argv[1]): print('in', flush=True)", path)
        said = process.stderr.readline()
        assert f"process {os.getpid()} on " in said and f"is working on {path}" in said
        assert process.poll() is None
    assert process.communicate()[0] == "in\n"
    assert names(tmp_path) == []


def test_a_lock_dies_with_its_process(tmp_path):
    process = script("with locked(sys.argv[1]): print(1, flush=True); time.sleep(600)", tmp_path / "state")
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    begun = time.monotonic()
    with locked(tmp_path / "state"):
        assert time.monotonic() - begun < 60
    assert names(tmp_path) == []


@pytest.mark.slow
def test_many_processes_take_turns(tmp_path):
    text = """
for _ in range(20):
    with locked(sys.argv[1]):
        with open(sys.argv[2]) as file: number = int(file.read())
        time.sleep(0.001)
        with open(sys.argv[2], 'w') as file: file.write(str(number + 1))
"""
    (tmp_path / "count").write_text("0")
    processes = [script(text, tmp_path / "state", tmp_path / "count") for _ in range(4)]
    for process in processes:
        assert process.wait() == 0, process.stderr.read()
    assert (tmp_path / "count").read_text() == "80"


def test_the_checksum_is_that_of_the_bytes(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"abc")
    assert (
        checksum(tmp_path / "a.txt") == "06b05ab6733a618578af5f94892f3950"
    )  # XXH3-128 of "abc", from its reference program


@pytest.mark.parametrize("path", ["results/runs/rank8/seed0/state", "/disk/runs/rank8/seed0/state"])
def test_unfinished_work_lies_where_it_is_told_or_below_the_folder_that_is_named(path, monkeypatch):
    monkeypatch.delenv("ASYMFLOW_STATE", raising=False)
    assert files.kept(path) == Path(path)
    monkeypatch.setenv("ASYMFLOW_STATE", "/scratch")
    assert files.kept(path) == Path("/scratch", path.lstrip("/"))


def test_text_is_read_and_written_as_utf_8_whatever_the_locale_of_the_machine():
    """Of methods of paths, which the linter cannot tell from others; it looks after `open`."""
    modules = [path for folder in ("src", "docs", "benchmarks", "examples") for path in (ROOT / folder).rglob("*.py")]
    calls = [
        (path, node)
        for path in modules
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("read_text", "write_text")
    ]
    silent = [(path, node) for path, node in calls if "encoding" not in {word.arg for word in node.keywords}]
    assert calls and not [f"{path}:{node.lineno}" for path, node in silent]
