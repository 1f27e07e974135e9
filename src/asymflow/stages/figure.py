"""Draws a study from its table.

python -m asymflow.stages.figure --study JSON --table results/rank_sweep.csv --beside --figure OUT.png OUT.svg
"""

import argparse
import json
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from safetensors.numpy import load_file

from asymflow.report import figures, prx_figures, style


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", required=True, help="the study as JSON")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument(
        "--beside", type=Path, nargs="*", help="guidance searches (arms first) or a subspace for each arm"
    )
    parser.add_argument("--figure", type=Path, nargs="+", required=True, help="one file for each format")
    arguments = parser.parse_args()
    study, table = json.loads(arguments.study), pd.read_csv(arguments.table)
    style.save(_draw(study, table, arguments.beside), arguments.figure)


def _draw(study: dict, table: pd.DataFrame, beside: list[Path]) -> Figure:
    arms = study["arms"]
    if study["figure"] == "guidance":
        first_seed = beside[:: len(study["seeds"])]
        searches = {arm: json.loads(path.read_text()) for arm, path in zip(arms, first_seed, strict=True)}
        return figures.guidance_surfaces(table, study, searches)
    if study["figure"] == "bases":
        ranks = {arm: fields["target.rank"] for arm, fields in arms.items()}
        bases = {arm: load_file(path)["basis"][:, : ranks[arm]] for arm, path in zip(arms, beside, strict=True)}
        return figures.beside_bases(table, study, bases)
    draw = {
        "rank": figures.against_rank,
        "bars": figures.by_arm,
        "convergence": figures.against_images,
        "width": figures.against_width,
        "systems": figures.beside_systems,
        "data": prx_figures.against_set,
        "suite": prx_figures.suite,
    }
    return draw[study["figure"]](table, study)


if __name__ == "__main__":
    main()
