"""Judges the answers to the validation suite: reconstruction, captions, swaps, edits, each with an interval over cases."""

from typing import Any

from asymflow.judges.evidence import Evidence, images
from asymflow.metrics.bootstrap import intervals
from asymflow.metrics.suite import Judge, answers


def judge(evidence: Evidence) -> dict[str, Any]:
    """The card of the answers. Raises ValueError unless there is one for each case."""
    suite = evidence.suite
    if len(evidence.samples) != len(suite.cases):
        raise ValueError(
            f"{evidence.samples_path} has {len(evidence.samples)} images, but {evidence.suite_path} has {len(suite.cases)} cases"
        )
    samples = images(evidence.samples)
    judge = Judge(evidence.evaluator, evidence.distance, evidence.scoring.batch)
    drawn = {kind: samples[suite.of_kind(kind)] for kind in suite.counts()}
    per_case = answers(drawn, suite.wanted_by_kind(), suite.content, suite.edits, judge)
    return {
        "metrics": intervals(per_case, evidence.suite_config.resamples, evidence.suite_config.seed),
        "per_case": {name: [round(float(v), 6) for v in values] for name, values in per_case.items()},
        "samples": len(samples),
    }
