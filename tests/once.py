"""What several processes of a test run need, made by the first of them that does."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder of the whole test run, filled by `make` in whichever worker comes first; the others wait. Read it only."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # each worker has a folder of its own in that of the run
    folder, whole = root / f"once_{name}", root / f"once_{name}.done"
    with FileLock(root / f"once_{name}.lock"):
        if not whole.exists():
            folder.mkdir()
            make(folder)
            whole.touch()
    return folder
