"""Asking for the cases of the validation suite: each shows what it shows, as far as the run is conditioned on it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from asymflow import lineage
from asymflow.config.conditions import MODALITIES
from asymflow.config.sampling import Sampling
from asymflow.data.suite import UNPAIRED, Case, Suite
from asymflow.models.condition import Condition
from asymflow.sampling.asks.request import Request, shown
from asymflow.sampling.run import Run


def build(run: Run, settings: Sampling, asked: Path) -> Request:
    """All cases of the suite in the file `asked`. Raises ValueError when its images have another size."""
    suite = Suite.load(asked)
    lineage.check(asked, suite.data, "the run", run.data)
    if suite.image_size != run.image_size:
        raise ValueError(
            f"{asked} has images of {suite.image_size} pixels, but the run draws {run.image_size}; run stage suite again"
        )

    def condition(numbers: Sequence[int]) -> Condition:
        chosen = torch.tensor(numbers)
        rows = {name: values[chosen] for name, values in suite.rows.items()}
        everything = shown(run, len(numbers), **rows, empty=suite.empty)
        present = [[name in suite.cases[i].shown for name in MODALITIES] for i in numbers]
        return replace(everything, present=everything.present & torch.tensor(present))

    def noises(numbers: Sequence[int]) -> list[int]:
        return [noise_number(suite.cases[i], settings.paired) for i in numbers]

    texts = suite.of_kind("text")
    return Request(len(suite.cases), condition, noises, range(texts[0], texts[-1] + 1))


def noise_number(case: Case, paired: bool) -> int:
    """Which noise a case begins with: an edit with its original's, or where they are not paired with another."""
    return case.noise if paired or case.edit < 0 else case.noise + UNPAIRED
