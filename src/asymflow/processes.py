"""Processes that do one job together, as torchrun starts them."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Literal

import torch
import torch.distributed as distributed

PATIENCE = 600  # seconds
ASKED_TO_STOP = (signal.SIGTERM, signal.SIGUSR1)  # what clusters send before they take a machine away
# what the backends say when another process is gone or silent; which of them comes first is a matter of chance
GONE = re.compile("timed? ?out|pair closure|closed by peer|reset by peer|broken pipe|heartbeat", re.IGNORECASE)


def torchrun() -> tuple[int, int, int]:
    """This process's rank, the number of processes, and its rank on this node, as torchrun says; a single process is 0 of 1."""
    return tuple(int(os.environ.get(name, d)) for name, d in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0)))


def cores() -> int:
    """Processor cores for each of this node's processes: of those that this job may use, not of those that the node has."""
    # macOS does not say what is allowed
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, allowed // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))


def patience() -> timedelta:
    """How long processes of one job wait for one of them that does not answer: ASYMFLOW_PATIENCE in seconds, or ten minutes."""
    return timedelta(seconds=float(os.environ.get("ASYMFLOW_PATIENCE", PATIENCE)))


@contextmanager
def together(backend: Literal["gloo", "nccl"], wait: timedelta | None = None) -> Iterator[None]:
    """Inside, the processes of this job can speak with each other; a single process needs nobody.

    Raises ConnectionError when another process of the job has ended, or is silent for longer than `wait`; None: `patience`.
    """
    wait = wait or patience()
    rank, world_size, _ = torchrun()
    if world_size == 1:
        yield
        return
    try:
        distributed.init_process_group(backend, timeout=wait)
        yield
        distributed.destroy_process_group()
    except RuntimeError as error:
        if not GONE.search(str(error)):
            raise
        raise ConnectionError(
            f"process {rank} of {world_size}: another process of this job has ended, or gave no answer for"
            f" {wait.total_seconds():.0f} s (ASYMFLOW_PATIENCE of a training); what was saved stays. Look at what that process"
            " says"
        ) from error


def wait_for_all() -> None:
    """Returns when all processes of this job have come here."""
    if distributed.is_initialized():
        distributed.barrier()


def any_of(wish: bool) -> bool:
    """Whether one of the processes of this job wishes it; all get the same answer. A small exchange on the processors."""
    if not distributed.is_initialized():
        return wish
    wishes = torch.tensor(int(wish))
    distributed.all_reduce(wishes, distributed.ReduceOp.MAX, group=_on_processors())
    return bool(wishes)


def mean_of_all(values: torch.Tensor) -> torch.Tensor:
    """The mean over the processes of this job, number by number; all get the same."""
    if not distributed.is_initialized():
        return values
    total = values.clone()  # gloo has no mean
    distributed.all_reduce(total)
    return total / distributed.get_world_size()


@cache
def _on_processors() -> distributed.ProcessGroup | None:
    """A group that exchanges without the GPU, which would have to finish its work first; None: the usual one is such."""
    return None if distributed.get_backend() == "gloo" else distributed.new_group(backend="gloo", timeout=patience())
