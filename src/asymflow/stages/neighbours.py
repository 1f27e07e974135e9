"""Shows samples of each arm beside the training image and the held-out image that are most like them; the first seed of each.

python -m asymflow.stages.neighbours --study JSON --neighbours RUN/bare/neighbours.npy ... --picture OUT.png
"""

import argparse
import json
from pathlib import Path

import numpy as np

from asymflow.report import prx_figures, style

COLUMNS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", required=True, help="the study as JSON")
    parser.add_argument("--neighbours", type=Path, nargs="+", required=True, help="of every arm and seed, arms first")
    parser.add_argument("--picture", type=Path, required=True)
    arguments = parser.parse_args()
    study = json.loads(arguments.study)
    first_seed = arguments.neighbours[:: len(study["seeds"])]
    blocks = {
        arm: np.load(path, mmap_mode="r", allow_pickle=False)[:COLUMNS]
        for arm, path in zip(study["arms"], first_seed, strict=True)
    }
    style.save(prx_figures.neighbours(blocks), [arguments.picture])


if __name__ == "__main__":
    main()
