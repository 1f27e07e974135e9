"""Shows the same images at each sampling setting of a study of prx-tg, arm by arm; the first seed of each.

python -m asymflow.stages.progression --study JSON --samples RUN/prx_part1/samples.npy ... --picture OUT.png
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
    parser.add_argument("--samples", type=Path, nargs="+", required=True, help="settings first, then arms, then seeds")
    parser.add_argument("--picture", type=Path, required=True)
    arguments = parser.parse_args()
    study = json.loads(arguments.study)
    first_seed = iter(arguments.samples[:: len(study["seeds"])])
    drawn = {(setting, arm): next(first_seed) for setting in study["samplings"] for arm in study["arms"]}
    rows = {
        (arm, setting): np.load(drawn[setting, arm], mmap_mode="r", allow_pickle=False)[:COLUMNS]
        for arm in study["arms"]
        for setting in study["samplings"]
    }
    style.save(prx_figures.progression(rows), [arguments.picture])


if __name__ == "__main__":
    main()
