"""Draws the first directions of each basis of patch space, and how much of the patches' energy they hold.

python -m asymflow.stages.subspace_figure --bases pca_rgb_p16.safetensors random_rgb_p16.safetensors --figure OUT.png OUT.svg
"""

import argparse
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from asymflow import tensors
from asymflow.command import run
from asymflow.config.representation import Colour
from asymflow.data.colour import from_rgb, to_rgb
from asymflow.report import image_figures, style
from asymflow.subspace.patches import patchify, unpatchify

CONTRAST = 0.4  # of a direction's largest value around mid-grey, in what a network sees: RGB has every such colour


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bases", type=Path, nargs="+", required=True)
    parser.add_argument("--figure", type=Path, nargs="+", required=True, help="one file for each format")
    arguments = parser.parse_args()
    bases = {}
    for path in arguments.bases:
        description, loaded = tensors.describe(path, "subspace"), tensors.load(path, "subspace")
        shown = visible(loaded["basis"], description["patch_size"], description["colour"])
        bases[description["name"]] = (shown.numpy(), loaded["spectrum"].numpy())
    style.save(image_figures.subspaces(bases), arguments.figure)


def visible(basis: Float[Tensor, "D K"], patch_size: int, colour: Colour) -> Float[Tensor, "D K"]:
    """The directions as departures from mid-grey in RGB, which is what a picture can show of any colour space."""
    grey = from_rgb(torch.zeros(1, 3, 1, 1, dtype=basis.dtype), colour)
    scaled = CONTRAST * basis / basis.abs().amax(0)
    patches = unpatchify(scaled.T[:, None], (1, 1), patch_size)
    return patchify(to_rgb(grey + patches, colour), patch_size)[:, 0].T


if __name__ == "__main__":
    run(main)
