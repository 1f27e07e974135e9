"""Compares the samples with the training images as the judge of the distribution does, by an evaluator with other weights.

An arm that is aligned with the features of the first evaluator may please that one more than it deserves.
"""

from typing import Any

from asymflow.judges import distribution
from asymflow.judges.evidence import Evidence
from asymflow.metrics.evaluators import Names

NAMES = Names("fid_second", "kid_second", "is_second", "precision_second", "recall_second", "patch_fid_second")


def judge(evidence: Evidence) -> dict[str, Any]:
    """The card of the samples that stand for the run's distribution. Raises ValueError when they are too few."""
    return distribution.card(evidence, NAMES)
