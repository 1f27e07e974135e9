"""Draws the method on one image: what a network is asked to predict at several ranks and how the velocity is recovered from it,
and the family from x_0-prediction to u-prediction by the two orthogonal parts of the target.

python -m asymflow.stages.method_figures --data results/data/heldout.json --subspace results/subspace/pca_rgb_p16.safetensors
    --patch-size 16 --parameterisation OUT.png OUT.svg --components OUT.png OUT.svg
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from asymflow import anatomy
from asymflow.command import run
from asymflow.data.reader import ShardReader
from asymflow.report import method, style
from asymflow.subspace import file as subspace_file
from asymflow.subspace.patches import CHANNEL_LAST

RECOVERED = (0, 8, 128)  # ranks of the first figure, and D
FAMILY = (0, 2, 8, 32, 128)  # ranks of the second, and D
T = 0.5  # noise level: half image, half noise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="index of a split")
    parser.add_argument("--subspace", type=Path, required=True)
    parser.add_argument("--patch-size", type=int, required=True, help="pixels")
    parser.add_argument("--parameterisation", type=Path, nargs="+", required=True, help="one file for each format")
    parser.add_argument("--components", type=Path, nargs="+", required=True, help="likewise")
    arguments = parser.parse_args()
    p, t = arguments.patch_size, torch.tensor([T])
    subspace = subspace_file.load(arguments.subspace, patch_size=p, order=CHANNEL_LAST, colour="rgb")
    x_0, eps = anatomy.example(ShardReader(arguments.data), p)
    known, energy = _pictures(anatomy.state(x_0, eps, t), p), float(x_0.square().sum(dim=2).mean())
    recovered = {
        rank: _pictures(anatomy.recovery(x_0, eps, t, subspace.columns(rank)), p)
        for rank in method.shown_ranks(RECOVERED, x_0.shape[2])
    }
    family = {
        rank: _pictures(anatomy.components(x_0, eps, subspace.columns(rank)), p)
        for rank in method.shown_ranks(FAMILY, x_0.shape[2])
    }
    style.save(method.parameterisation(known, recovered, T, energy), arguments.parameterisation)
    style.save(method.components(family, subspace.spectrum.numpy()), arguments.components)


def _pictures(parts: dict[str, Tensor], patch_size: int) -> dict[str, np.ndarray]:
    return {name: anatomy.picture(tokens, patch_size) for name, tokens in parts.items()}


if __name__ == "__main__":
    run(main)
