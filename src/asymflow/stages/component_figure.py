"""Draws the family from x_0-prediction to u-prediction: the two orthogonal parts of the target at several ranks.

python -m asymflow.stages.component_figure --data results/data/heldout.json
    --subspace results/subspace/pca_rgb_p16.safetensors --patch-size 16 --figure OUT.png OUT.svg
"""

import argparse
from pathlib import Path

from asymflow import anatomy
from asymflow.command import run
from asymflow.data.reader import ShardReader
from asymflow.report import method, style
from asymflow.subspace import file as subspace_file
from asymflow.subspace.patches import CHANNEL_LAST

RANKS = (0, 2, 8, 32, 128)  # and D


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="index of a split")
    parser.add_argument("--subspace", type=Path, required=True)
    parser.add_argument("--patch-size", type=int, required=True, help="pixels")
    parser.add_argument("--figure", type=Path, nargs="+", required=True, help="one file for each format")
    arguments = parser.parse_args()
    p = arguments.patch_size
    subspace = subspace_file.load(arguments.subspace, patch_size=p, order=CHANNEL_LAST, colour="rgb")
    x_0, eps = anatomy.example(ShardReader(arguments.data), p)
    parts = {
        rank: {
            name: anatomy.picture(tokens, p)
            for name, tokens in anatomy.components(x_0, eps, subspace.columns(rank)).items()
        }
        for rank in method.shown_ranks(RANKS, x_0.shape[2])
    }
    style.save(method.components(parts, subspace.spectrum.numpy()), arguments.figure)


if __name__ == "__main__":
    run(main)
