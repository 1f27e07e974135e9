"""Compares the arms of a study with its reference case by case, over all seeds.

python -m asymflow.stages.paired --study JSON --out results/prx_arms_paired.csv
"""

from pathlib import Path

import numpy as np
import pandas as pd

from asymflow import documents
from asymflow.command import run
from asymflow.metrics.bootstrap import interval
from asymflow.report import tables
from asymflow.report.study import Study, study_arguments

RESAMPLES = 5_000


def main() -> None:
    parser = study_arguments(__doc__)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    study = Study.parse(arguments.study, arguments.root)
    runs = [(setting, arm, seed) for setting in study.samplings for arm in study.arms for seed in study.seeds]
    per_case = {(setting, arm, seed): _per_case(study, arm, seed, setting) for setting, arm, seed in runs}
    tables.write(pd.DataFrame(list(compared(study, per_case))), arguments.out)


def _per_case(study: Study, arm: str, seed: int, sampling: str) -> dict[str, list[float]]:
    """The answers of one run to the suite, and what it has memorised, case by case."""
    per_case: dict[str, list[float]] = {}
    for judge in study.files:
        per_case |= documents.read(study.path(judge, arm, seed, sampling), "score")["per_case"]
    return per_case


def compared(study: Study, per_case: dict[tuple, dict[str, list[float]]]):
    """For each setting, arm and metric the mean difference from the reference, and its bootstrap interval over cases.

    A case has the same conditions and, for the same seed, the same noise in every arm. Its difference is averaged over seeds
    first, so the interval holds for these trainings; that of the summary table is about other seeds.
    """
    reference, seeds = study.reference, study.seeds
    for setting in study.samplings:
        for arm in study.arms:
            for metric in per_case[setting, arm, seeds[0]]:
                own, its = (
                    np.mean([per_case[setting, name, seed][metric] for seed in seeds], axis=0)
                    for name in (arm, reference)
                )
                low, high = interval(own - its, RESAMPLES, seed=0)
                yield {
                    "arm": arm, "reference": reference, "sampling": setting, "metric": metric, "seeds": len(seeds),
                    "cases": len(own), "mean": own.mean(), "difference": (own - its).mean(), "low": low, "high": high,
                }  # fmt: skip


if __name__ == "__main__":
    run(main)
