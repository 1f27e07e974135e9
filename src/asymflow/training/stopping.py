"""When a training has to stop before its end: a signal came, or the time that it was given is nearly over.

Either way it saves its state, ends with the status TRY_AGAIN, and goes on when it is started again. Whoever gives the time says
so: SLURM by itself (SLURM_JOB_END_TIME, and those before 23.02 when they are asked), anybody else by ASYMFLOW_MINUTES.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from asymflow.processes import ASKED_TO_STOP

TRY_AGAIN = 75  # the status that sysexits.h has for a failure that is none: EX_TEMPFAIL
SPARE = 10.0  # seconds before the end beside those of two saves: for the slowest update, and for leaving
BEGAN = time.time()  # of this process


class InterruptedTraining(SystemExit):
    """Training stopped after saving its state; running it again continues. `out_of_time`: not because of a signal."""

    def __init__(self, out_of_time: bool):
        super().__init__(TRY_AGAIN)
        self.out_of_time = out_of_time


class Stop:
    """Whether this process wishes to stop."""

    def __init__(self, ends: float | None):
        self.ends, self.signalled, self._longest = ends, False, 0.0

    @property
    def unmeasured(self) -> bool:
        """Whether the time is limited and nobody knows yet how long a save takes."""
        return self.ends is not None and not self._longest

    @property
    def wished(self) -> bool:
        """Whether a signal came, or the time left is hardly enough to save twice, as it took until now."""
        return self.signalled or (self.ends is not None and time.time() > self.ends - SPARE - 2 * self._longest)

    def listen(self) -> "Stop":
        """Takes the signals that clusters send before they take a machine away as the wish to stop."""

        def request(*_: object) -> None:
            self.signalled = True

        for number in ASKED_TO_STOP:
            signal.signal(number, request)
        return self

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Notes how long the block takes."""
        before = time.monotonic()
        yield
        self._longest = max(self._longest, time.monotonic() - before)


def ends() -> float | None:
    """When the time of this process is over, in seconds since the epoch; None where nobody limits it.

    Raises ValueError when the environment does not say it in a number.
    """
    moments = []
    for name, moment in (("SLURM_JOB_END_TIME", float), ("ASYMFLOW_MINUTES", lambda text: BEGAN + 60 * float(text))):
        if text := os.environ.get(name):
            try:
                moments.append(moment(text))
            except ValueError as error:
                raise ValueError(f"the environment has {name}={text!r}; expected a number") from error
    if "SLURM_JOB_END_TIME" not in os.environ and (moment := _asked_of_slurm()):
        moments.append(moment)
    return min(moments, default=None)


def _asked_of_slurm() -> float | None:
    """When this job of SLURM ends; None where it is none, or has no limit."""
    job = os.environ.get("SLURM_JOB_ID")
    if not job or not shutil.which("squeue"):
        return None
    asked = ["squeue", "--noheader", "--jobs", job, "--format", "%e"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)
    try:
        return datetime.fromisoformat(answer.stdout.strip()).timestamp()  # the local time of the cluster
    except ValueError:
        said = answer.stdout.strip() or answer.stderr.strip()
        print(f"SLURM names no end of job {job} ({said}): it is not stopped before one", flush=True)
        return None


def requeue() -> None:
    """Puts this job of SLURM into its queue again, where it is one: out of time is no failure. SLURM ends the job here."""
    job = os.environ.get("SLURM_JOB_ID")
    if job and shutil.which("scontrol"):
        print(f"putting job {job} into the queue again", flush=True)
        subprocess.run(["scontrol", "requeue", job], check=False)
