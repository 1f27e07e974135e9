"""Measures how much of each principal direction class and surrounding patches explain, and draws it against the noise.

python -m asymflow.stages.spectrum --config JSON --patch-size 8 --colour rgb --data results/data/train.json
    --basis results/subspace/pca_rgb_p8.safetensors --table results/spectrum.csv --figure OUT.png OUT.svg
"""

import argparse
from pathlib import Path
from typing import get_args

import pandas as pd

from asymflow import lineage, provenance
from asymflow.command import run
from asymflow.config.representation import Colour
from asymflow.config.subspace import Subspace as Config
from asymflow.data.patches import coefficients
from asymflow.data.reader import ShardReader
from asymflow.report import spectrum_figures, style, tables
from asymflow.subspace import context, file
from asymflow.subspace.file import Subspace
from asymflow.subspace.patches import CHANNEL_LAST

NOISE = {
    t: context.noise_variance(t) for t in (0.8, 0.4, 0.2)
}  # at the noise levels where linear denoisers are compared


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="the subspace section as JSON")
    parser.add_argument("--patch-size", type=int, required=True)
    parser.add_argument("--colour", choices=get_args(Colour), required=True)
    parser.add_argument("--data", type=Path, required=True, help="index of the training split")
    parser.add_argument("--basis", type=Path, required=True, help="all principal directions of patch space")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--figure", type=Path, nargs="+", required=True, help="one file for each format")
    arguments = parser.parse_args()
    config, reader = Config.model_validate_json(arguments.config), ShardReader(arguments.data)
    basis = file.load(arguments.basis, patch_size=arguments.patch_size, order=CHANNEL_LAST, colour=arguments.colour)
    lineage.check(arguments.basis, basis.data, reader.path, reader.set)
    table = measure(reader, basis, config)
    tables.write(table, arguments.table)
    style.save(spectrum_figures.spectrum(table, NOISE), arguments.figure)


def measure(reader: ShardReader, basis: Subspace, config: Config) -> pd.DataFrame:
    """One row for each direction: its variance, what is left of it, and the errors of linear denoisers."""
    sample = coefficients(reader, basis.basis, basis.patch_size, basis.colour, config, "spectrum")
    rows = context.split(sample.images, config.seed, config.flip)
    centred, labels, grid = context.centred(sample.values, rows), sample.labels, sample.grid
    left = {
        "class": context.unexplained_by_class(centred, labels, rows, context.places(grid)),
        "others": context.unexplained_by_others(centred, rows, grid),
        "both": context.unexplained_by_both(centred, labels, rows, grid),
    }
    noisy = context.unexplained_by_noisy(centred, rows, grid, list(NOISE.values()))
    made = provenance.record("asymflow.stages.spectrum")
    return spectrum_figures.table(
        {
            "eigenvalue": basis.spectrum.numpy(),
            **{f"unexplained_{known}": variance.numpy() for known, (variance, _) in left.items()},
            **{f"strength_{known}": strength.numpy() for known, (_, strength) in left.items()},
        },
        dict(zip(NOISE, noisy.numpy(), strict=True)),
        {level: context.wiener(basis.spectrum, variance).numpy() for level, variance in NOISE.items()},
        patch_size=basis.patch_size,
        images=len(sample.values),
        heldout=len(rows.heldout),
        data=reader.source,
        code=made["code"],
        commit=made["commit"],
    )


if __name__ == "__main__":
    run(main)
