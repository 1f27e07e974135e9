"""Shows samples of each arm beside the training image and the held-out image that are most like them; the first seed of each.

python -m asymflow.stages.nearest_images --study JSON --train results/data/train.json --heldout results/data/heldout.json
    --picture OUT.png
"""

from pathlib import Path

from asymflow import documents
from asymflow.command import run
from asymflow.data import drawn
from asymflow.data.reader import ShardReader
from asymflow.report import image_figures, style
from asymflow.report.study import Study, study_arguments

COLUMNS = 10


def main() -> None:
    parser = study_arguments(__doc__)
    parser.add_argument("--train", type=Path, required=True, help="index of the training split")
    parser.add_argument("--heldout", type=Path, required=True, help="index of the held-out split")
    parser.add_argument("--picture", type=Path, required=True)
    arguments = parser.parse_args()
    study = Study.parse(arguments.study, arguments.root)
    neighbours = (
        ("train", "nearest in training", ShardReader(arguments.train)),
        ("heldout", "nearest held-out", ShardReader(arguments.heldout)),
    )
    judged = study.first_seed("memorisation", study.first_sampling)
    rows = {}
    for arm, samples in study.first_seed("samples", study.first_sampling).items():
        nearest = documents.read(judged[arm], "score")["nearest"]
        rows[f"{arm}: sample"] = drawn.load(samples)[nearest["sample"][:COLUMNS]]
        for split, name, reader in neighbours:
            rows[f"{arm}: {name}"] = reader.images(nearest[split][:COLUMNS]).permute(0, 2, 3, 1).numpy()
    style.save(image_figures.image_rows(rows), [arguments.picture])


if __name__ == "__main__":
    run(main)
