"""Asks whether a run draws what it was trained on: the nearest training image of a sample against its nearest held-out one."""

from typing import Any

from asymflow.judges.evidence import Evidence, images
from asymflow.metrics.bootstrap import intervals
from asymflow.metrics.suite import Judge, memories

SEARCHED = 2_000  # images of either set, at most, in which the nearest ones are looked for


def judge(evidence: Evidence) -> dict[str, Any]:
    """The card of the samples that captions of training images were asked for, or where none were of the first of all."""
    numbers = _judged(evidence)
    train, heldout = evidence.train, evidence.heldout
    equal = min(evidence.summary["set_images"] or len(train), len(heldout), SEARCHED)
    sets = (reader.images(range(equal)) for reader in (train, heldout))
    judge = Judge(evidence.evaluator, evidence.distance, evidence.scoring.batch)
    per_case, nearest = memories(images(evidence.samples[numbers]), *sets, judge)
    return {
        "metrics": intervals(per_case, evidence.suite_config.resamples, evidence.suite_config.seed),
        "per_case": {name: [round(float(v), 6) for v in values] for name, values in per_case.items()},
        "nearest": {"sample": numbers, **nearest},
        "samples": len(numbers),
        "searched_images": equal,
    }


def _judged(evidence: Evidence) -> list[int]:
    """The numbers of the samples that are looked for."""
    if evidence.summary["asks"] == "cases":
        return evidence.suite.of_kind("memory")
    first, last = evidence.summary["distribution"]
    return list(range(first, min(last, first + evidence.suite_config.memories)))
