"""Fits a basis of patch space.

python -m asymflow.stages.fit_subspace --config JSON --basis pca --patch-size 16 --colour rgb
    --data results/data/train.json --out OUT.safetensors
"""

import argparse
from pathlib import Path
from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor

from asymflow.command import run
from asymflow.config.representation import Colour
from asymflow.config.subspace import Basis
from asymflow.config.subspace import Subspace as Config
from asymflow.data.patches import chosen, coefficients, patches
from asymflow.data.reader import ShardReader
from asymflow.subspace import bases, context
from asymflow.subspace.file import Subspace, save
from asymflow.subspace.patches import CHANNEL_LAST


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
    """The basis with its spectrum on the data, whatever it was made from: so that bases can be compared.

    The spectrum of pca_unexplained is what class and surrounding patches leave; its directions are those of pca in that order,
    the least explained first.
    """
    numbers = chosen(reader, config)
    seen = patches(reader, numbers, patch_size, colour, flip=config.flip, what="fit_subspace")
    gram, total, count = bases.gram(seen)
    columns = bases.columns("pca" if basis == "pca_unexplained" else basis, gram, total, count, patch_size, config.seed)
    if basis == "pca_unexplained":
        spectrum, order = unexplained(reader, columns, patch_size, colour, config).sort(descending=True, stable=True)
        columns = columns[:, order]
    else:
        spectrum = torch.einsum("dk,de,ek->k", columns, gram, columns) / count
    described = f"{len(numbers)} images of {reader.split} ({reader.source}){', mirrored too' if config.flip else ''}"
    return Subspace(columns, spectrum, basis, patch_size, CHANNEL_LAST, colour, described, count, data=reader.set)


def unexplained(
    reader: ShardReader, columns: Float[Tensor, "D D"], patch_size: int, colour: Colour, config: Config
) -> Float[Tensor, "D"]:
    """The variance along each column that class and surrounding patches leave."""
    sample = coefficients(reader, columns, patch_size, colour, config, "unexplained variance")
    rows = context.split(sample.images, config.seed, config.flip)
    centred = context.centred(sample.values, rows)
    return context.unexplained_by_both(centred, sample.labels, rows, sample.grid)[0]


if __name__ == "__main__":
    run(main)
