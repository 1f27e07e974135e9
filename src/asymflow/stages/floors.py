"""Scores what no model drew in the validation suite: references that say what its numbers mean.

python -m asymflow.stages.floors --suite results/conditions/images_p16/suite.safetensors
    --perceptual results/evaluator/perceptual.safetensors --evaluator results/evaluator/local.safetensors --out floors.csv
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from asymflow import lineage, machine
from asymflow.command import run
from asymflow.data.suite import Suite
from asymflow.metrics import evaluators, perceptual
from asymflow.metrics.suite import Judge, answers
from asymflow.randomness import generator
from asymflow.report import tables

BATCH = 50  # images looked at together
BLUR = 1 / 16  # standard deviation of the blur, as a share of the image's side


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", type=Path, required=True)
    parser.add_argument("--perceptual", type=Path, nargs="?", help="the perceptual network; none: the published LPIPS")
    parser.add_argument("--evaluator", required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    suite, device = Suite.load(arguments.suite), machine.device()
    for path, kind in ((arguments.evaluator, "evaluator"), (arguments.perceptual, "perceptual network")):
        if path:
            lineage.check_file(path, kind, arguments.suite, suite.data)
    judge = Judge(evaluators.load(arguments.evaluator, device), perceptual.judge(arguments.perceptual, device), BATCH)
    wanted = suite.wanted_by_kind()
    rows = []
    for name, drawn in drawings(wanted).items():
        scores = answers(drawn, wanted, suite.content, suite.edits, judge)
        rows.append({"arm": f"floor: {name}"} | {metric: values.mean() for metric, values in scores.items()})
    tables.write(pd.DataFrame(rows), arguments.out)


def drawings(wanted: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """What is scored in place of drawings: the wanted image, blurred, another one, noise, and the original for its edit."""
    return {
        "the image itself": wanted,
        "no edit": wanted | {"edited": wanted["original"], "retold": wanted["told"]},
        "the image, blurred": {kind: blurred(images) for kind, images in wanted.items()},
        "another image": {kind: images.roll(1, 0) for kind, images in wanted.items()},
        "noise": {kind: noise(images, i) for i, (kind, images) in enumerate(wanted.items())},
    }


def blurred(images: Tensor) -> Tensor:
    """The images without detail."""
    sigma = images.shape[-1] * BLUR
    return gaussian_blur(images, kernel_size=2 * round(3 * sigma) + 1, sigma=sigma)


def noise(images: Tensor, stream: int) -> Tensor:
    """Uniform noise of the same shape."""
    return torch.from_numpy(generator(stream).integers(0, 256, tuple(images.shape), dtype=np.uint8))


if __name__ == "__main__":
    run(main)
