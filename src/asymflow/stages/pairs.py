"""Says how alike images of several arms are that began with the same noise and caption, against shuffled pairs.

python -m asymflow.stages.pairs --study JSON
    --perceptual results/evaluator/perceptual.safetensors --evaluator results/evaluator/local.safetensors
    --out results/lift_pairs.csv
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from asymflow import lineage, machine, tensors
from asymflow.command import run
from asymflow.data import drawn
from asymflow.metrics import evaluators, perceptual
from asymflow.metrics.evaluators import Evaluator
from asymflow.metrics.perceptual import Lpips
from asymflow.report import tables
from asymflow.report.study import Study, study_arguments
from asymflow.sampling.pieces import ranges

BATCH = 50  # images looked at together


def main() -> None:
    parser = study_arguments(__doc__)
    parser.add_argument("--perceptual", type=Path, nargs="?", help="the perceptual network; none: the published LPIPS")
    parser.add_argument("--evaluator", required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    study, device = Study.parse(arguments.study, arguments.root), machine.device()
    if arguments.perceptual:
        data = tensors.describe(arguments.evaluator, "evaluator")["data"]
        lineage.check_file(arguments.perceptual, "perceptual network", arguments.evaluator, data)
    distance, evaluator = (
        perceptual.load(arguments.perceptual, "vgg", device),
        evaluators.load(arguments.evaluator, device),
    )
    runs = [(arm, seed) for arm in study.arms for seed in study.seeds]
    samples = {run: drawn.load(study.path("samples", *run, study.last_sampling)) for run in runs}
    rows = []
    for (arm, seed), images in samples.items():
        reference = samples[study.reference, seed]
        near, far = (alike(images, reference, shift, distance, evaluator) for shift in (0, 1))
        rows.append(
            {"arm": arm, "seed": seed, "reference": study.reference, "pairs": len(images)}
            | {f"{name}_paired": value for name, value in near.items()}
            | {f"{name}_shuffled": value for name, value in far.items()}
        )
    tables.write(pd.DataFrame(rows), arguments.out)


def alike(
    images: np.ndarray, others: np.ndarray, shift: int, distance: Lpips, evaluator: Evaluator
) -> dict[str, float]:
    """Mean LPIPS of the pairs (0: the same), and mean cosine of the evaluator's features (1: the same).

    Image i goes with number i - shift of the others, which with a shift began with another noise and caption. They are read as
    they are needed: all samples of a study may be more than the memory.
    """
    distances, cosines = [], []
    for numbers in ranges(len(images), BATCH):
        rows = np.arange(numbers.start, numbers.stop)
        one, other = _pixels(images, rows), _pixels(others, (rows - shift) % len(others))
        pixels = [(x.to(next(distance.buffers()).device).float() / 127.5 - 1) for x in (one, other)]
        with torch.no_grad():
            distances.append(distance(*pixels).mean((1, 2)))
        cosines.append(cosine_similarity(evaluator.look(one).features, evaluator.look(other).features))
    return {
        distance.name: torch.cat(distances).mean().item(),
        f"similarity_{evaluator.name}": torch.cat(cosines).mean().item(),
    }


def _pixels(images: np.ndarray, rows: np.ndarray) -> Tensor:
    return torch.from_numpy(images[rows]).permute(0, 3, 1, 2)


if __name__ == "__main__":
    run(main)
