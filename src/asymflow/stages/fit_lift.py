"""Fits the lift from the autoencoder's latent tokens to pixel patches.

python -m asymflow.stages.fit_lift --config JSON --patch-size 16 --colour oklab --data results/data/train.json
    --latents results/latent/autoencoder.safetensors --out results/latent/lift_oklab_p16.safetensors
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from asymflow import lineage
from asymflow.command import run
from asymflow.config.autoencoder import DOWN
from asymflow.config.representation import Colour
from asymflow.config.subspace import Subspace as Config
from asymflow.data.colour import from_rgb
from asymflow.data.order import permutation
from asymflow.data.reader import ShardReader
from asymflow.models import latents
from asymflow.models.latents import Latents
from asymflow.progress import Progress
from asymflow.subspace.file import Subspace, save
from asymflow.subspace.patches import CHANNEL_FIRST, patchify
from asymflow.subspace.procrustes import gather, procrustes, unexplained

BATCH = 100  # images encoded at once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="the subspace section as JSON")
    parser.add_argument("--patch-size", type=int, required=True)
    parser.add_argument("--colour", choices=get_args(Colour), required=True)
    parser.add_argument("--data", type=Path, required=True, help="index of the training split")
    parser.add_argument("--latents", type=Path, required=True, help="autoencoder, or the folder of a FLUX.2 klein")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    config, reader = Config.model_validate_json(arguments.config), ShardReader(arguments.data)
    if arguments.patch_size % DOWN or reader.image_size % arguments.patch_size:
        raise ValueError(
            f"a pixel patch of {arguments.patch_size} pixels cannot be paired with a latent token: it must be a multiple of"
            f" {DOWN}, which a latent position spans, and divide the images' side of {reader.image_size} pixels"
        )
    lineage.check_file(arguments.latents, "autoencoder", reader.path, reader.set)
    space = latents.load(arguments.latents, arguments.patch_size, torch.device("cpu"))
    save(fit(reader, space, arguments.patch_size, arguments.colour, config), arguments.out)


def fit(reader: ShardReader, space: Latents, patch_size: int, colour: Colour, config: Config) -> Subspace:
    """The lift as a subspace file: its columns are A, in the order of the latent token; its scale is s."""
    images = min(config.images, len(reader))
    paired = gather(_pairs(reader, images, space, patch_size, colour, config.seed))
    A, s = procrustes(paired)
    print(f"scale {s:.4f}; the lift misses {100 * unexplained(paired, A, s):.2f} % of the pixels' energy", flush=True)
    spectrum = torch.einsum("Dk,DE,Ek->k", A, paired.gram, A) / paired.count
    described = f"{images} images of {reader.split} ({reader.source}) and their latents"
    return Subspace(
        A, spectrum, "procrustes", patch_size, CHANNEL_FIRST, colour, described, paired.count, s, reader.set
    )


def _pairs(
    reader: ShardReader, images: int, space: Latents, patch_size: int, colour: Colour, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Pixel patches and the latent tokens of the same places, in FLUX.2's order (channel, row, column)."""
    chosen = permutation(len(reader), seed, epoch=0)[:images].sort().values
    with Progress("fit_lift", images, "images") as progress:
        for indices in chosen.split(BATCH):
            pixels = reader.images(indices.tolist()).float() / 127.5 - 1
            tokens = space.encode(pixels)
            patches = patchify(from_rgb(pixels.double(), colour), patch_size, CHANNEL_FIRST)
            yield patches.flatten(0, 1), tokens.flatten(0, 1)
            progress.advance(len(indices))


if __name__ == "__main__":
    run(main)
