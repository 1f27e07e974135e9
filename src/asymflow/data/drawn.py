"""Reading what stage sample drew: one array, and the summary beside it that says what it is."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from asymflow import documents
from asymflow.files import checksum


def load(path: Path, summary: Path | None = None) -> UInt8[np.ndarray, "n h w 3"]:
    """The samples, 0 to 255, mapped from their file and not read yet.

    The summary is `samples.json` beside them unless another is given. Raises ValueError when it speaks of other samples, or
    they are not images.
    """
    summary = summary or path.with_suffix(".json")
    if checksum(path) != documents.read(summary, "sampling")["file"]:
        raise ValueError(
            f"{path} does not hold the samples that {summary} speaks of: it is damaged, or of another run; delete both and give"
            " the same command again"
        )
    samples = np.load(path, mmap_mode="r", allow_pickle=False)
    if samples.dtype != np.uint8 or samples.ndim != 4 or samples.shape[3] != 3:
        raise ValueError(f"{path} holds {samples.dtype} {samples.shape}; expected uint8 (n, h, w, 3)")
    return samples
