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
    samples = {run: _load(study.path("samples", *run, study.last_sampling)) for run in runs}
    rows = []
    for (arm, seed), images in samples.items():
        reference = samples[study.reference, seed]
        others = reference.roll(1, 0)  # another caption and another noise for each
        near, far = (alike(images, other, distance, evaluator) for other in (reference, others))
        rows.append(
            {"arm": arm, "seed": seed, "reference": study.reference, "pairs": len(images)}
            | {f"{name}_paired": value for name, value in near.items()}
            | {f"{name}_shuffled": value for name, value in far.items()}
        )
    tables.write(pd.DataFrame(rows), arguments.out)


def alike(images: Tensor, others: Tensor, distance: Lpips, evaluator: Evaluator) -> dict[str, float]:
    """Mean LPIPS of the pairs (0: the same), and mean cosine of the evaluator's features (1: the same)."""
    distances, cosines = [], []
    for one, other in zip(images.split(BATCH), others.split(BATCH), strict=True):
        pixels = [(x.to(next(distance.buffers()).device).float() / 127.5 - 1) for x in (one, other)]
        with torch.no_grad():
            distances.append(distance(*pixels).mean((1, 2)))
        cosines.append(cosine_similarity(evaluator.look(one).features, evaluator.look(other).features))
    return {
        distance.name: torch.cat(distances).mean().item(),
        f"similarity_{evaluator.name}": torch.cat(cosines).mean().item(),
    }


def _load(path: Path) -> Tensor:
    return torch.from_numpy(np.array(drawn.load(path))).permute(0, 3, 1, 2)


if __name__ == "__main__":
    run(main)
