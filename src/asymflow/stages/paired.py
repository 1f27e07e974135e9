"""Compares the arms of a study with its reference case by case, over all seeds.

python -m asymflow.stages.paired --study JSON --scores RUN/plain/scores.json ... --out results/prx_arms_paired.csv
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from asymflow.files import atomic
from asymflow.metrics.bootstrap import interval

RESAMPLES = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", required=True, help="the study as JSON")
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="settings first, then arms, then seeds")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    study = json.loads(arguments.study)
    runs = [(setting, arm, seed) for setting in study["samplings"] for arm in study["arms"] for seed in study["seeds"]]
    per_case = {run: json.loads(path.read_text())["per_case"] for run, path in zip(runs, arguments.scores, strict=True)}
    with atomic(arguments.out) as temporary:
        pd.DataFrame(list(compared(study, per_case))).to_csv(temporary, index=False, float_format="%.6g")


def compared(study: dict, per_case: dict[tuple, dict[str, list[float]]]):
    """For each setting, arm and metric the mean difference from the reference, and its bootstrap interval over cases.

    A case has the same conditions and, for the same seed, the same noise in every arm. Its difference is averaged over seeds
    first, so the interval holds for these trainings; that of the summary table is about other seeds.
    """
    reference, seeds = study["reference"], study["seeds"]
    for setting in study["samplings"]:
        for arm in study["arms"]:
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
    main()
