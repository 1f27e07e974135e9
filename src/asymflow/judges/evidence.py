"""What a judge looks at: the samples of one run, and what they are compared with."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from asymflow import documents, lineage, machine
from asymflow.config.scoring import Scoring
from asymflow.config.suite import Suite as SuiteConfig
from asymflow.data import drawn
from asymflow.data.reader import ShardReader
from asymflow.data.suite import Suite
from asymflow.metrics import evaluators, perceptual, statistics
from asymflow.metrics.evaluators import Evaluator
from asymflow.metrics.perceptual import Lpips
from asymflow.metrics.statistics import Statistics


@dataclass(frozen=True)
class Evidence:
    """Files by what is in them; a judge reads those that it needs. None where a study has none."""

    samples_path: Path  # uint8 array of (n, h, w, 3)
    summary_path: Path  # what stage sample says of them
    evaluator_name: str  # an evaluator's file, or 'inception'
    reference_path: Path
    suite_config: SuiteConfig
    prompts_path: Path | None = None  # captions and the attributes that they name
    suite_path: Path | None = None
    train_path: Path | None = None
    heldout_path: Path | None = None
    perceptual_path: Path | None = None  # None: the published LPIPS

    @cached_property
    def device(self) -> torch.device:
        return machine.device()

    @cached_property
    def summary(self) -> dict[str, Any]:
        return documents.read(self.summary_path, "sampling")

    @cached_property
    def _reference(self) -> tuple[Statistics, dict[str, Any]]:
        return statistics.load(self.reference_path)

    @property
    def reference(self) -> Statistics:
        """Of the training images."""
        return self._reference[0]

    @property
    def description(self) -> dict[str, Any]:
        """What the reference says of itself."""
        return self._reference[1]

    @property
    def scoring(self) -> Scoring:
        return Scoring.model_validate(self.description["scoring"])

    @cached_property
    def evaluator(self) -> Evaluator:
        """The network that judges. Raises ValueError when the reference was made with another."""
        evaluator = evaluators.load(self.evaluator_name, self.device)
        evaluators.check(evaluator, self.reference_path, self.description)
        return evaluator

    @cached_property
    def distance(self) -> Lpips:
        if self.perceptual_path:
            lineage.check_file(
                self.perceptual_path, "perceptual network", self.reference_path, self.description["data"]
            )
        return perceptual.judge(self.perceptual_path, self.device)

    @cached_property
    def suite(self) -> Suite:
        suite = Suite.load(self.suite_path)
        self._check(self.suite_path, suite.data)
        return suite

    @cached_property
    def prompts(self) -> list[dict[str, Any]]:
        """Captions, and the attributes that they name."""
        said = documents.read(self.prompts_path, "prompts")
        self._check(self.prompts_path, said["data"])
        return said["prompts"]

    @cached_property
    def train(self) -> ShardReader:
        return self._split(self.train_path)

    @cached_property
    def heldout(self) -> ShardReader:
        return self._split(self.heldout_path)

    def _split(self, path: Path | None) -> ShardReader:
        reader = ShardReader(path)
        self._check(path, reader.set)
        return reader

    def _check(self, path: Path | None, data: str) -> None:
        """Raises ValueError for a file of another data set than the reference's."""
        lineage.check(path, data, self.reference_path, self.description["data"])

    @cached_property
    def samples(self) -> np.ndarray:
        """All samples, not read yet. Raises ValueError for anything but uint8 images of the reference's size."""
        samples, size = drawn.load(self.samples_path, self.summary_path), self.description["image_size"]
        self._check(self.summary_path, self.summary["data"])
        if samples.shape[1:3] != (size, size):
            raise ValueError(
                f"{self.samples_path} holds images of {samples.shape[1]} x {samples.shape[2]} pixels; expected {size} x {size}"
            )
        return samples

    @property
    def distribution(self) -> np.ndarray:
        """The samples that stand for what the run draws."""
        first, last = self.summary["distribution"]
        return self.samples[first:last]

    def record(self) -> dict[str, Any]:
        """What a score says of who judged."""
        return {
            "evaluator": self.evaluator.name,
            "evaluator_digest": self.evaluator.digest,
            "statistics": self.description["checksum"],
            "file": self.summary["file"],
        }


def images(samples: np.ndarray) -> UInt8[Tensor, "n 3 h w"]:
    """Samples as a tensor, channels first."""
    return torch.from_numpy(np.array(samples)).permute(0, 3, 1, 2)


def batches(samples: UInt8[np.ndarray, "n h w 3"], batch: int) -> Iterator[UInt8[Tensor, "_ 3 h w"]]:
    """The same so many at a time, read as they are wanted: all of them may not fit into memory."""
    for first in range(0, len(samples), batch):
        yield images(samples[first : first + batch])
