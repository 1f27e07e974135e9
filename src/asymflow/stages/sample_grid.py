"""Shows what each arm of a study draws from the same noise, under its last sampling setting, above held-out images.

python -m asymflow.stages.sample_grid --study JSON --heldout results/data/heldout.json --picture OUT.png
"""

from pathlib import Path

from asymflow.command import run
from asymflow.data import drawn
from asymflow.data.reader import ShardReader
from asymflow.report import image_figures, style
from asymflow.report.study import Study, study_arguments

COLUMNS = 12
HELDOUT = "held-out images"  # as good as samples can look


def main() -> None:
    parser = study_arguments(__doc__)
    parser.add_argument("--heldout", type=Path, required=True, help="index of the held-out split")
    parser.add_argument("--picture", type=Path, required=True)
    arguments = parser.parse_args()
    study = Study.parse(arguments.study, arguments.root)
    rows = {arm: drawn.load(path)[:COLUMNS] for arm, path in study.first_seed("samples", study.last_sampling).items()}
    heldout = ShardReader(arguments.heldout)
    images = heldout.images(range(min(COLUMNS, len(heldout))))
    rows[HELDOUT] = images.permute(0, 2, 3, 1).numpy()
    style.save(image_figures.image_rows(rows), [arguments.picture])


if __name__ == "__main__":
    run(main)
