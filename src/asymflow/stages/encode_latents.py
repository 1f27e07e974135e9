"""Encodes the training images as latent tokens.

python -m asymflow.stages.encode_latents --patch-size 16 --data results/data/train.json
    --latents results/latent/autoencoder.safetensors --out results/latent/p16/train.json
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch

from asymflow import lineage, machine, provenance
from asymflow.command import run
from asymflow.data import rows
from asymflow.data.reader import ShardReader, parts
from asymflow.data.rows import Rows
from asymflow.data.tokens import grid_of
from asymflow.fitting import Fitting
from asymflow.models import latents
from asymflow.models.latents import Latents
from asymflow.progress import Progress

SHARD = 1_000  # images in one file
BATCH = 50  # images at a time, where they fit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patch-size", type=int, required=True, help="side of a token in pixels")
    parser.add_argument("--data", type=Path, required=True, help="index of the training split")
    parser.add_argument("--latents", type=Path, required=True, help="autoencoder, or the folder of a FLUX.2 klein")
    parser.add_argument("--out", type=Path, required=True, help="the index to write, its shards beside it")
    arguments = parser.parse_args()
    device = machine.device()
    data = ShardReader(arguments.data)
    lineage.check_file(arguments.latents, "autoencoder", data.path, data.set)
    space = latents.load(arguments.latents, arguments.patch_size, device)
    shards = [(part, shape) for numbers, shape in data.buckets for part in parts(numbers, SHARD)]
    grids = [grid_of(*shape, arguments.patch_size) for _, shape in shards]
    description = {"data": data.set, "code": provenance.digest("asymflow.stages.encode_latents")}
    rows.write(arguments.out, _parts(data, [part for part, _ in shards], space, device), description, grids=grids)


def _parts(data: ShardReader, shards: list[range], space: Latents, device: torch.device) -> Iterator[Rows]:
    fitting = Fitting("encode_latents", BATCH)

    def encoded(numbers: range) -> Rows:
        return {"latents": space.encode(data.whole(numbers).to(device).float() / 127.5 - 1).cpu()}

    with Progress("encode_latents", len(data), "images") as progress:
        for shard in shards:
            batches = []
            for numbers, made in fitting.of(shard, encoded):
                batches.append(made)
                progress.advance(len(numbers))
            yield rows.concatenated(batches)


if __name__ == "__main__":
    run(main)
