"""The jobs of a run: what each is called, what its log says last, how long it took."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from asymflow.logs import tail

PROGRESS = re.compile(r"^[\w ]+: (\d+/\d+ .*)$", re.MULTILINE)  # as asymflow.progress writes it into a log
LINES = 12  # of a failed job's log that are shown


@dataclass(frozen=True)
class Job:
    """One that runs."""

    rule: str
    wildcards: Mapping[str, str]
    log: str | None  # path
    began: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        return " ".join([self.rule, *(_named(name, value) for name, value in self.wildcards.items() if value)])

    @property
    def progress(self) -> str:
        """How far it is, by its own words; empty until it says so."""
        found = PROGRESS.findall(tail(self.log)) if self.log else []
        return found[-1] if found else ""

    @property
    def took(self) -> str:
        """The time since it began."""
        return duration(time.monotonic() - self.began)


def last_lines(logs: Sequence[str]) -> str:
    """The last lines of those logs that hold any, each under its path."""
    ends = {log: tail(log).strip().splitlines()[-LINES:] for log in logs if Path(log).is_file()}
    return "\n".join(f"{log}:\n" + "\n".join(f"    {line}" for line in lines) for log, lines in ends.items() if lines)


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, as 1:02:03 or 2:03."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def _named(name: str, value: str) -> str:
    """Numbers need the name of what they count; words, which may be folders, speak for themselves."""
    return f"{name} {value}" if value.isdigit() else value.rstrip("/")
