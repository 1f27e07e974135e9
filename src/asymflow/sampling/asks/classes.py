"""Asking for classes: round and round, so that any count is as even as it can be. Nothing else is shown."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from asymflow.config.sampling import Sampling
from asymflow.models.condition import Condition
from asymflow.sampling.asks.request import Request, shown
from asymflow.sampling.run import Run


def balanced_labels(numbers: Sequence[int], classes: int) -> Int[Tensor, "b"]:
    """The classes of the images with these numbers."""
    return torch.tensor(numbers, dtype=torch.long) % classes


def build(run: Run, settings: Sampling, asked: Path | None) -> Request:
    """As many images as the settings say. No file is needed."""

    def condition(numbers: Sequence[int]) -> Condition:
        return shown(run, len(numbers), label=balanced_labels(numbers, len(run.classes)))

    return Request(settings.count, condition, list, range(settings.count))
