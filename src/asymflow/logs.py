"""The end of a file that grows, such as a log: what the view of a run and `asymflow status` look at."""

from pathlib import Path

TAIL = 8192  # bytes


def tail(path: Path | str) -> str:
    """The end of a file, perhaps from within a line; empty where it cannot be read, as before a job has begun."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, 2) - TAIL))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
