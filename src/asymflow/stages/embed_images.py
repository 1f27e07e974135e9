"""Embeds the images of a split, for networks conditioned on them: an embedding and patch tokens of each, and where its face is.

python -m asymflow.stages.embed_images --config JSON --patch-size 16 --data results/data/train.json
    --evaluator results/evaluator/local.safetensors --out results/conditions/images_p16/train.json
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from asymflow import lineage, machine, provenance
from asymflow.command import run
from asymflow.config.embeddings import Embeddings
from asymflow.data import portraits, rows
from asymflow.data.portraits import Portrait
from asymflow.data.reader import ShardReader, parts
from asymflow.data.rows import Rows
from asymflow.data.sources import portrait_of
from asymflow.fitting import Fitting
from asymflow.progress import Progress
from asymflow.subspace.patches import patchify
from asymflow.training import readers
from asymflow.training.readers import Viewer

SHARD = 1_000  # images in one file
BATCH = 50  # images at a time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="what it reads of the embeddings section, as JSON")
    parser.add_argument("--patch-size", type=int, required=True, help="side of a token of the arms in pixels")
    parser.add_argument("--data", type=Path, required=True, help="index of the split")
    parser.add_argument("--evaluator", type=Path, nargs="?", help="the local evaluator, where it embeds")
    parser.add_argument("--out", type=Path, required=True, help="the index to write, its shards beside it")
    arguments = parser.parse_args()
    device = machine.device()
    data = ShardReader(arguments.data)
    if arguments.evaluator:
        lineage.check_file(arguments.evaluator, "evaluator", data.path, data.set)
    viewer = readers.viewer(Embeddings.model_validate_json(arguments.config), arguments.evaluator, device)
    description = {"data": data.set, "code": provenance.digest("asymflow.stages.embed_images")}
    rows.write(arguments.out, _parts(data, viewer, arguments.patch_size, device), description)


def _parts(data: ShardReader, viewer: Viewer, patch_size: int, device: torch.device) -> Iterator[Rows]:
    fitting = Fitting("embed_images", BATCH)

    def seen(numbers: range) -> Rows:
        embedding, patches = viewer.image(data.images(numbers).to(device).float() / 127.5 - 1)
        return {"embedding": embedding.cpu(), "patches": patches.cpu(), "face": faces(data, numbers, patch_size)}

    with Progress("embed_images", len(data), "images") as progress:
        for shard in parts(range(len(data)), SHARD):
            batches = []
            for numbers, made in fitting.of(shard, seen):
                batches.append(made)
                progress.advance(len(numbers))
            yield rows.concatenated(batches)


def faces(data: ShardReader, numbers: range, patch_size: int) -> Tensor:
    """The share of each patch that is face, (m, n); not a number where the set has no face masks."""
    n = (data.image_size // patch_size) ** 2
    people = [portrait_of(data.record(i)["source"]) for i in numbers]
    return torch.stack(
        [
            torch.full((n,), torch.nan) if person is None else _face(person, data.image_size, patch_size)
            for person in people
        ]
    )


def _face(person: Portrait, size: int, patch_size: int) -> Tensor:
    mask = torch.from_numpy(portraits.face_mask(person, size)).float()
    return patchify(mask[None, None], patch_size)[0].mean(-1)


if __name__ == "__main__":
    run(main)
