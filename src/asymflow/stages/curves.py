"""Draws the training loss of each arm of a study of prx-tg; the first seed of each.

python -m asymflow.stages.curves --study JSON --curves RUN/curve.jsonl ... --figure OUT.png
"""

import argparse
import json
from pathlib import Path

import pandas as pd

from asymflow.report import prx_figures, style


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", required=True, help="the study as JSON")
    parser.add_argument("--curves", type=Path, nargs="+", required=True, help="of every arm and seed, arms first")
    parser.add_argument("--figure", type=Path, required=True)
    arguments = parser.parse_args()
    study = json.loads(arguments.study)
    first_seed = arguments.curves[:: len(study["seeds"])]
    points = {arm: pd.read_json(path, lines=True) for arm, path in zip(study["arms"], first_seed, strict=True)}
    style.save(prx_figures.curves(points, study["title"]), [arguments.figure])


if __name__ == "__main__":
    main()
