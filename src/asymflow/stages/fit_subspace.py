"""Fits a basis of patch space.

python -m asymflow.stages.fit_subspace --config JSON --basis pca --patch-size 16 --colour rgb
    --data results/data/train.json --out OUT.safetensors
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from asymflow.command import run
from asymflow.config.representation import Colour
from asymflow.config.subspace import Basis
from asymflow.config.subspace import Subspace as Config
from asymflow.data.colour import from_rgb
from asymflow.data.order import permutation
from asymflow.data.reader import ShardReader
from asymflow.progress import Progress
from asymflow.subspace import bases
from asymflow.subspace.file import Subspace, save
from asymflow.subspace.patches import CHANNEL_LAST, patchify

BATCH = 256  # images decoded at once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="the subspace section as JSON")
    parser.add_argument("--basis", choices=get_args(Basis), required=True)
    parser.add_argument("--patch-size", type=int, required=True)
    parser.add_argument("--colour", choices=get_args(Colour), required=True)
    parser.add_argument("--data", type=Path, required=True, help="index of the training split")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    config, reader = Config.model_validate_json(arguments.config), ShardReader(arguments.data)
    save(fit(arguments.basis, reader, arguments.patch_size, arguments.colour, config), arguments.out)


def fit(basis: Basis, reader: ShardReader, patch_size: int, colour: Colour, config: Config) -> Subspace:
    """The basis with its spectrum on the data, whatever it was made from: so that bases can be compared."""
    images = min(config.images, len(reader))
    gram, total, patches = bases.gram(_patches(reader, images, patch_size, colour, config))
    if basis == "pca":
        columns, _ = bases.pca(gram)
    elif basis == "pca_centred":
        columns, _ = bases.pca(bases.centred(gram, total, patches))
    elif basis == "dct":
        columns = bases.dct_basis(patch_size)
    elif basis == "random":
        columns = bases.random_basis(len(gram), config.seed)
    else:
        columns = bases.identity_basis(len(gram))
    spectrum = torch.einsum("dk,de,ek->k", columns, gram, columns) / patches
    described = f"{images} images of {reader.split} ({reader.source}){', mirrored too' if config.flip else ''}"
    return Subspace(columns, spectrum, basis, patch_size, CHANNEL_LAST, colour, described, patches, data=reader.set)


def _patches(reader: ShardReader, images: int, patch_size: int, colour: Colour, config: Config) -> Iterator[Tensor]:
    chosen = permutation(len(reader), config.seed, epoch=0)[:images].sort().values
    with Progress("fit_subspace", images, "images") as progress:
        for indices in chosen.split(BATCH):
            pixels = from_rgb(reader.images(indices.tolist()).double() / 127.5 - 1, colour)
            yield patchify(pixels, patch_size)
            if config.flip:
                yield patchify(pixels.flip(3), patch_size)
            progress.advance(len(indices))


if __name__ == "__main__":
    run(main)
