"""Progress with the time that is left: a moving bar on a terminal, a plain line now and then in a log file."""

import sys
import time
from collections import deque

from tqdm import tqdm

QUIET_SECONDS = 5.0  # between two lines of a log file
RECENT = 16  # calls of `advance` that the rate is measured over


class Progress:
    """Counts work done; use as a context manager and call `advance`.

    The rate is that of the last calls, and the first of all does not count: it has the compiler's time, and that of caches.
    """

    def __init__(self, what: str, total: int, unit: str, done: int = 0):
        self._marks: deque[tuple[float, int]] = deque(
            maxlen=RECENT
        )  # when `advance` was called, and what was done then
        self._spoken = time.monotonic()
        self.what, self.total, self.unit, self.done = what, total, unit, done
        terminal = sys.stderr.isatty()
        self._bar = (
            tqdm(total=total, initial=done, desc=what, unit=f" {unit}", dynamic_ncols=True) if terminal else None
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, count: int, note: str = "") -> None:
        """Notes that `count` more are done; `note` is shown behind the figures."""
        self.done += count
        self._marks.append((time.monotonic(), self.done))
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(count)
        elif time.monotonic() - self._spoken > QUIET_SECONDS or self.done >= self.total:
            self._spoken = time.monotonic()
            print(f"{self._line()}  {note}".rstrip(), file=sys.stderr, flush=True)

    def _line(self) -> str:
        share = 100 * self.done // max(self.total, 1)
        return f"{self.what}: {self.done}/{self.total} {self.unit} ({share} %){self._pace()}"

    def _pace(self) -> str:
        """Rate and time left, once there is something to tell them by."""
        (first, before), (last, _) = self._marks[0], self._marks[-1]
        if last <= first:
            return ""
        rate = (self.done - before) / (last - first)
        left = int((self.total - self.done) / rate) if rate else 0
        return f", {rate:,.1f} {self.unit}/s, {left // 3600}:{left // 60 % 60:02d}:{left % 60:02d} left"
