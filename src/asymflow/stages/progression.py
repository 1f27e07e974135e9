"""Shows the same images at each sampling setting of a study, snapshots or kinds of guidance, arm by arm; the first seed of each.

python -m asymflow.stages.progression --study JSON --picture OUT.png
"""

from pathlib import Path

from asymflow.command import run
from asymflow.data import drawn
from asymflow.report import image_figures, style
from asymflow.report.study import Study, study_arguments

COLUMNS = 10


def main() -> None:
    parser = study_arguments(__doc__)
    parser.add_argument("--picture", type=Path, required=True)
    arguments = parser.parse_args()
    study = Study.parse(arguments.study, arguments.root)
    rows = {
        f"{arm}, {setting}": drawn.load(study.path("samples", arm, study.seeds[0], setting))[:COLUMNS]
        for arm in study.arms
        for setting in study.samplings
    }
    style.save(image_figures.image_rows(rows), [arguments.picture])


if __name__ == "__main__":
    run(main)
