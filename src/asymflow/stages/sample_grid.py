"""Shows what each arm of a study draws from the same noise and for the same classes, one row for each arm.

python -m asymflow.stages.sample_grid --study JSON --samples RUN/guided/samples.npy ... --picture OUT.png
"""

import argparse
import json
from pathlib import Path

import numpy as np

from asymflow.report import figures, style

COLUMNS = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", required=True, help="the study as JSON")
    parser.add_argument("--samples", type=Path, nargs="+", required=True, help="of every arm and seed, arms first")
    parser.add_argument("--picture", type=Path, required=True)
    arguments = parser.parse_args()
    study = json.loads(arguments.study)
    first_seed = arguments.samples[:: len(study["seeds"])]
    rows = {
        arm: np.load(path, mmap_mode="r", allow_pickle=False)[:COLUMNS]
        for arm, path in zip(study["arms"], first_seed, strict=True)
    }
    style.save(figures.sample_grid(rows), [arguments.picture])


if __name__ == "__main__":
    main()
