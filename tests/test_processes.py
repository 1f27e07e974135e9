"""Processes that do one job together."""

import os

import pytest

from asymflow import processes


@pytest.mark.parametrize(("together", "cores"), [(None, 8), (1, 8), (4, 2), (16, 1)])
def test_the_processes_of_a_node_share_the_cores_that_their_job_may_use(monkeypatch, together, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    if together:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", str(together))
    assert processes.cores() == cores
