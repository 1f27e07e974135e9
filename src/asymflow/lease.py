"""One GPU for each process, on a host that has several and where nobody deals them out.

    0.lock, 1.lock, ...   below asymflow-devices-UID in the system's temporary folder; whoever has a file locked has the device

A job of SLURM, which may call other devices by the same names as another job of this host, has a folder of its own.

A lock dies with its process, however it ends, so no device stays taken.
"""

import fcntl
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

_held: list[int] = []  # open until this process ends


def lease(devices: Sequence[str], folder: Path | None = None) -> int | None:
    """Takes the first device that no other process has, for as long as this process lives; gives its place in the list.

    `devices` are names that mean the same to all processes of this host, or of a job of SLURM. None: all are taken. Raises
    PermissionError when the folder of locks is somebody else's.
    """
    whose = [str(os.getuid()), *filter(None, [os.environ.get("SLURM_JOB_ID")])]
    folder = folder or Path(tempfile.gettempdir()) / f"asymflow-devices-{'-'.join(whose)}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise PermissionError(
            f"{folder} is another user's, so nobody knows which GPUs are taken; remove it, or set TMPDIR"
        )
    for place, name in enumerate(devices):
        handle = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        _held.append(handle)
        return place
    return None
