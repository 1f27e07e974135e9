"""Shows what each arm of a study draws from the same noise, under its last sampling setting; the first seed of each.

python -m asymflow.stages.sample_grid --study JSON --picture OUT.png
"""

from pathlib import Path

from asymflow.command import long_arguments, run
from asymflow.data import drawn
from asymflow.report import figures, style
from asymflow.report.study import Study

COLUMNS = 12


def main() -> None:
    parser = long_arguments(__doc__)
    parser.add_argument("--study", required=True, help="the study as JSON, or @FILE")
    parser.add_argument("--root", type=Path, default=Path(), help="what its files are named from")
    parser.add_argument("--picture", type=Path, required=True)
    arguments = parser.parse_args()
    study = Study.parse(arguments.study, arguments.root)
    samples = study.first_seed("samples", study.last_sampling)
    rows = {arm: drawn.load(path)[:COLUMNS] for arm, path in samples.items()}
    style.save(figures.sample_grid(rows), [arguments.picture])


if __name__ == "__main__":
    run(main)
