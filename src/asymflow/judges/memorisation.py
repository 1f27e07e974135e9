"""Asks whether a run draws what it was trained on: the nearest training image of a sample against its nearest held-out one.

A sample that does no more than show its caption is already near to the image that the caption is of. So of the cases as many are
judged that were asked for by captions of held-out images as by those of training images: what following a caption adds to either
set cancels, and what is left is copied.
"""

from typing import Any

from asymflow.judges.evidence import Evidence, images
from asymflow.metrics.bootstrap import intervals
from asymflow.metrics.suite import Judge, memories

SEARCHED = 2_000  # images of either set, at most, in which the nearest ones are looked for


def judge(evidence: Evidence) -> dict[str, Any]:
    """The card of the cases with captions of training and of held-out images, or where none were asked of the first samples.

    Captions that are asked for without cases are held-out ones, so there copying is understated. Raises ValueError when the
    suite has too few captions of held-out images.
    """
    train, heldout = evidence.train, evidence.heldout
    equal = min(evidence.summary["set_images"] or len(train), len(heldout), SEARCHED)
    numbers = _judged(evidence, equal)
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


def _judged(evidence: Evidence, searched: int) -> list[int]:
    """The numbers of the samples that are looked for; of cases those whose captions are of images among the first `searched`."""
    if evidence.summary["asks"] == "cases":
        suite = evidence.suite
        of_train = suite.of_kind("memory")[:searched]
        of_heldout = suite.of_kind("text")[: len(of_train)] if suite.split == "heldout" else []
        if len(of_heldout) < len(of_train):
            raise ValueError(
                f"{evidence.suite_path} has {len(of_heldout)} captions of held-out images, but memorisation compares them with"
                f" {len(of_train)} of training images: let suite.split be heldout, and suite.texts as many as suite.memories"
            )
        return of_train + of_heldout
    first, last = evidence.summary["distribution"]
    return list(range(first, min(last, first + evidence.suite_config.memories)))
