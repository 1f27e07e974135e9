"""Draws a study from its table.

python -m asymflow.stages.figure --study JSON --table results/rank_sweep.csv --figure OUT.png OUT.svg
"""

import argparse
import json
from pathlib import Path

import pandas as pd

from asymflow.report import figures, style


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", required=True, help="the study as JSON")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--figure", type=Path, nargs="+", required=True, help="one file for each format")
    arguments = parser.parse_args()
    study, table = json.loads(arguments.study), pd.read_csv(arguments.table)
    draw = figures.against_rank if study["figure"] == "rank" else figures.by_arm
    style.save(draw(table, study), arguments.figure)


if __name__ == "__main__":
    main()
