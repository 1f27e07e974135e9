"""Gathers of one's own training images what a published protocol compares samples with, where no published file is given.

python -m asymflow.stages.protocol_reference --protocol adm --folder models --data results/data/train.json --out OUT.npz
"""

import argparse
from pathlib import Path
from typing import get_args

import torch

from asymflow import machine, parts
from asymflow.command import run
from asymflow.config.protocols import Protocol
from asymflow.data.reader import ShardReader
from asymflow.metrics import statistics
from asymflow.protocols import reference as references
from asymflow.protocols.gather import BATCH, gather

KEPT = 10_000  # images for precision and recall, as ADM's files have them


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocol", choices=get_args(Protocol), required=True)
    parser.add_argument("--folder", type=Path, required=True, help="folder of the published networks")
    parser.add_argument("--data", type=Path, required=True, help="index of the training split")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    module, reader = parts.load(parts.protocol(arguments.protocol)), ShardReader(arguments.data)
    network = module.NETWORK(arguments.folder, machine.device())
    numbers = torch.arange(len(reader)).split(BATCH)
    seen = gather(module, network, (reader.images(part.tolist()) for part in numbers), len(reader))
    arrays = references.statistics(seen["features"])
    if "patches" in seen:
        arrays |= references.statistics(seen["patches"], references.PATCHES)
    if "logits" in seen:
        kept = statistics.choose(len(reader), KEPT, seed=0).tolist()
        arrays[references.IMAGES] = reader.images(kept).permute(0, 2, 3, 1).contiguous().numpy()
    references.save(arguments.out, arrays)


if __name__ == "__main__":
    run(main)
