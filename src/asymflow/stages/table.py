"""Gathers the scores of a study into its table and its summary.

python -m asymflow.stages.table --study JSON --published workflow/published/rank_sweep.csv --table OUT.csv --summary OUT.csv
"""

from pathlib import Path

import pandas as pd

from asymflow.command import run
from asymflow.report import tables
from asymflow.report.study import Study, study_arguments


def main() -> None:
    parser = study_arguments(__doc__)
    parser.add_argument("--published", type=Path, nargs="*", default=[], help="published numbers, joined to our arms")
    parser.add_argument("--systems", type=Path, nargs="*", default=[], help="published systems, as rows below ours")
    parser.add_argument("--floors", type=Path, nargs="*", default=[], help="the suite's floors, as rows below ours")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--summary", type=Path, required=True)
    arguments = parser.parse_args()
    study = Study.parse(arguments.study, arguments.root)
    named = dict.fromkeys(tables.NAMES, str)
    published, systems = (
        [pd.read_csv(path, dtype=named) for path in paths] for paths in (arguments.published, arguments.systems)
    )
    floors = [tables.read(path) for path in arguments.floors]
    table = tables.gather(study, published, floors + systems)
    tables.write(table, arguments.table)
    tables.write(tables.summarise(table, study.reference), arguments.summary)


if __name__ == "__main__":
    run(main)
