"""Gathers the velocity errors of a study by noise level and directions, and draws them.

python -m asymflow.stages.error_by_noise --study JSON --table results/error_by_noise_velocity.csv --figure OUT.png OUT.svg
"""

from pathlib import Path

from asymflow import documents
from asymflow.command import run
from asymflow.report import style, tables, target_figures, velocity_figures
from asymflow.report.study import Study, study_arguments


def main() -> None:
    parser = study_arguments(__doc__)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--figure", type=Path, nargs="+", required=True, help="one file for each format")
    arguments = parser.parse_args()
    study = Study.parse(arguments.study, arguments.root)
    runs = [(arm, seed, sampling) for arm in study.arms for seed in study.seeds for sampling in study.samplings]
    cards = {run: documents.read(study.path("velocity", *run), "score") for run in runs}
    table = velocity_figures.gather(cards, study)
    tables.write(table, arguments.table)
    draw = target_figures.errors if study.figure == "targets" else velocity_figures.by_noise
    style.save(draw(table, study), arguments.figure)


if __name__ == "__main__":
    run(main)
