"""Draws the training loss of each arm of a study; the first seed of each.

python -m asymflow.stages.curves --study JSON --figure OUT.png
"""

from pathlib import Path

import pandas as pd

from asymflow.command import run
from asymflow.report import style, suite_figures
from asymflow.report.study import Study, study_arguments


def main() -> None:
    parser = study_arguments(__doc__)
    parser.add_argument("--figure", type=Path, required=True)
    arguments = parser.parse_args()
    study = Study.parse(arguments.study, arguments.root)
    points = {arm: pd.read_json(path, lines=True) for arm, path in study.first_seed("curve").items()}
    style.save(suite_figures.curves(points, study.title), [arguments.figure])


if __name__ == "__main__":
    run(main)
