"""Draws a study from its table.

python -m asymflow.stages.figure --study JSON --table results/rank_sweep.csv --figure OUT.png OUT.svg
"""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from asymflow import documents, tensors
from asymflow.command import run
from asymflow.report import figures, lengths, style, suite_figures, tables, target_figures
from asymflow.report.study import Study, study_arguments


def main() -> None:
    parser = study_arguments(__doc__)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--figure", type=Path, nargs="+", required=True, help="one file for each format")
    arguments = parser.parse_args()
    study = Study.parse(arguments.study, arguments.root)
    table = tables.read(arguments.table)
    tables.check(table, study, arguments.table)
    style.save(_draw(study, table), arguments.figure)


def _draw(study: Study, table: pd.DataFrame) -> Figure:
    if study.figure == "guidance":
        files = study.first_seed("guidance", study.first_sampling)
        return figures.guidance_surfaces(
            table, study, {arm: documents.read(path, "guidance") for arm, path in files.items()}
        )
    if study.figure == "bases":
        bases = {}
        for arm in study.bases:
            basis = tensors.load(study.basis(arm), "subspace")["basis"]
            bases[arm] = basis[:, : study.arms[arm]["target.rank"]].numpy()
        return figures.beside_bases(table, study, bases)
    draw = {
        "rank": figures.against_rank,
        "bars": figures.by_arm,
        "convergence": figures.against_images,
        "width": figures.against_width,
        "length": lengths.against_length,
        "systems": figures.beside_systems,
        "data": suite_figures.against_set,
        "suite": suite_figures.suite,
        "targets": target_figures.by_target,
    }
    return draw[study.figure](table, study)


if __name__ == "__main__":
    run(main)
