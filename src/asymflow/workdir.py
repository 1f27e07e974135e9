"""Snakemake's lock of the folder that it works in, when the Snakemake that took it is dead."""

import fcntl
import os
import socket
import sys
from pathlib import Path

_held: list[int] = []  # open until the process ends


def clear_dead_lock(folder: Path) -> None:
    """Removes Snakemake's lock if no process that called this still runs in the folder, and says so.

    Snakemake leaves its lock behind when it is killed, and cannot tell whose it was. Every Snakemake of this workflow therefore
    shares a lock of the system's, which dies with it: whoever has that one alone is the only one there. On some file systems of
    clusters such a lock holds on its own host alone, so what another host left is not touched.
    """
    own = folder / ".snakemake" / "asymflow.lock"
    try:
        own.parent.mkdir(exist_ok=True)
        handle = os.open(own, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            left, host = list((folder / ".snakemake" / "locks").glob("*")), socket.gethostname().encode()
            owner = os.pread(handle, 256, 0) or host
            if left and owner == host:
                for lock in left:
                    lock.unlink()
                print("a Snakemake that worked here has died; its lock is removed", file=sys.stderr)
            if left and owner != host:
                said = f"a Snakemake on {owner.decode()} left its lock here, and may live"
                print(f"{said}; if it does not, run `snakemake --unlock`", file=sys.stderr)
            else:
                os.ftruncate(handle, 0)
                os.pwrite(handle, host, 0)
        fcntl.flock(handle, fcntl.LOCK_SH)
        _held.append(handle)
    except OSError:
        pass  # no permission, or a file system without locks: Snakemake says what to do, `snakemake --unlock`
