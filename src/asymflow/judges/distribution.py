"""Compares the samples with the training images: Frechet distance, kernel distance, precision, recall, and seams in them."""

from typing import Any

import torch

from asymflow.judges.evidence import Evidence, batches
from asymflow.metrics import statistics
from asymflow.metrics.evaluators import Names
from asymflow.metrics.report_card import report_card
from asymflow.metrics.seams import seams


def judge(evidence: Evidence) -> dict[str, Any]:
    """The card of the samples that stand for the run's distribution. Raises ValueError when they are too few."""
    described = card(evidence, evidence.evaluator.names)
    samples = batches(evidence.distribution, evidence.scoring.batch)
    described["metrics"]["seams"] = seams(samples, evidence.summary["patch_size"])
    return described


def card(evidence: Evidence, names: Names) -> dict[str, Any]:
    """What the evaluator says of these samples, its metrics called as given. Raises ValueError when they are too few."""
    samples, settings, evaluator = evidence.distribution, evidence.scoring, evidence.evaluator
    count = len(samples)
    if count < settings.smallest:
        raise ValueError(
            f"{evidence.samples_path} holds {count} samples of the distribution; the metrics need {settings.smallest} or more"
        )
    looked = batches(samples, settings.batch)
    drawn = statistics.gather(evaluator, looked, torch.arange(count), count=count, seed=settings.seed, what="score")
    return report_card(evidence.reference, drawn, names, settings) | {"reference": evidence.description["source"]}
