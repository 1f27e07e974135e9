"""Shows samples of each arm beside the training image and the held-out image that are most like them; the first seed of each.

python -m asymflow.stages.nearest_images --study JSON --train results/data/train.json --heldout results/data/heldout.json
    --picture OUT.png
"""

from pathlib import Path

import numpy as np

from asymflow import documents
from asymflow.command import long_arguments, run
from asymflow.data import drawn
from asymflow.data.reader import ShardReader
from asymflow.report import style, suite_figures
from asymflow.report.study import Study

COLUMNS = 10


def main() -> None:
    parser = long_arguments(__doc__)
    parser.add_argument("--study", required=True, help="the study as JSON, or @FILE")
    parser.add_argument("--root", type=Path, default=Path(), help="what its files are named from")
    parser.add_argument("--train", type=Path, required=True, help="index of the training split")
    parser.add_argument("--heldout", type=Path, required=True, help="index of the held-out split")
    parser.add_argument("--picture", type=Path, required=True)
    arguments = parser.parse_args()
    study = Study.parse(arguments.study, arguments.root)
    splits = {"train": ShardReader(arguments.train), "heldout": ShardReader(arguments.heldout)}
    judged = study.first_seed("memorisation", study.first_sampling)
    samples = study.first_seed("samples", study.first_sampling)
    blocks = {
        arm: _rows(samples[arm], documents.read(path, "score")["nearest"], splits) for arm, path in judged.items()
    }
    style.save(suite_figures.nearest_images(blocks), [arguments.picture])


def _rows(samples: Path, nearest: dict[str, list[int]], splits: dict[str, ShardReader]) -> np.ndarray:
    """(n, 3, h, w, 3): each sample, its nearest training image, and its nearest held-out image."""
    own = drawn.load(samples)[nearest["sample"][:COLUMNS]]
    neighbours = [
        splits[name].images(nearest[name][:COLUMNS]).permute(0, 2, 3, 1).numpy() for name in ("train", "heldout")
    ]
    return np.stack([own, *neighbours], axis=1)


if __name__ == "__main__":
    run(main)
