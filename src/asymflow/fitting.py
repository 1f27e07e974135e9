"""Work on many items in batches as large as the device's memory takes; how large is found out once, and logged."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

Result = TypeVar("Result")


class Fitting:
    """Batches of at most `most` items, halved where one does not fit, and kept so for all that follow.

    What is worked out does not depend on the size of a batch, beyond rounding.
    """

    def __init__(self, what: str, most: int):
        self.what, self.size = what, most

    def of(self, items: Sequence, work: Callable[[Sequence], Result]) -> Iterator[tuple[Sequence, Result]]:
        """Each batch in order, with what `work` gives for it. Raises MemoryError when not even one item fits."""
        first = 0
        while first < len(items):
            batch = items[first : first + self.size]
            try:
                result = work(batch)
            except torch.OutOfMemoryError as error:
                self._halve(len(batch), error)
                continue
            yield batch, result
            first += len(batch)

    def _halve(self, tried: int, error: Exception) -> None:
        if tried == 1:
            raise MemoryError(
                f"{self.what}: not even one item fits into the memory of the device; free it, or take a larger one"
            ) from error
        self.size = tried // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        print(
            f"{self.what}: {tried} at a time do not fit into the memory of the device, going on with {self.size}",
            flush=True,
        )
