"""Embeds a split for the arms of prx-tg: captions as tokens, images as an embedding and patch tokens, and where faces are.

python -m asymflow.stages.embed --config JSON --patch-size 16 --data results/data/train.json
    --evaluator results/evaluator/local.safetensors --out results/embedded/p16/train.json
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from asymflow import provenance
from asymflow.config.embeddings import Embeddings
from asymflow.data import embedded, portraits
from asymflow.data.embedded import Embedded
from asymflow.data.portraits import Portrait
from asymflow.data.reader import ShardReader
from asymflow.data.sources import portrait_of
from asymflow.progress import Progress
from asymflow.subspace.patches import patchify
from asymflow.training import embedders
from asymflow.training.embedders import ImageEmbedder, TextEmbedder

SHARD = 1_000  # images in one file
BATCH = 50  # images at a time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="the embeddings section as JSON")
    parser.add_argument("--patch-size", type=int, required=True, help="side of an image token of the arms in pixels")
    parser.add_argument("--data", type=Path, required=True, help="index of the split")
    parser.add_argument("--evaluator", type=Path, nargs="?", help="the local evaluator, where it embeds")
    parser.add_argument("--out", type=Path, required=True, help="the index to write, its shards beside it")
    arguments = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    data = ShardReader(arguments.data)
    reader, viewer = embedders.load(Embeddings.model_validate_json(arguments.config), arguments.evaluator, device)
    description = {"data": str(arguments.data), "code": provenance.digest("asymflow.stages.embed")}
    parts = _parts(data, reader, viewer, arguments.patch_size, device)
    embedded.write(arguments.out, parts, description)


def _parts(
    data: ShardReader, reader: TextEmbedder, viewer: ImageEmbedder, patch_size: int, device: torch.device
) -> Iterator[Embedded]:
    captions = data.captions
    with Progress("embed", len(data), "images") as progress:
        for first in range(0, len(data), SHARD):
            found = []
            for start in range(first, min(first + SHARD, len(data)), BATCH):
                indices = range(start, min(start + BATCH, first + SHARD, len(data)))
                pixels = data.images(indices).to(device).float() / 127.5 - 1
                text, mask = reader.text([captions[i] for i in indices])
                cls, patches = viewer.image(pixels)
                found.append(Embedded(*(v.cpu() for v in (text, mask, cls, patches)), faces(data, indices, patch_size)))
                progress.advance(len(indices))
            yield embedded.concatenated(found)


def faces(data: ShardReader, indices: range, patch_size: int) -> Tensor:
    """The share of each patch that is face, (m, n); not a number where the set has no face masks."""
    n = (data.image_size // patch_size) ** 2
    people = [portrait_of(data.record(i)["source"]) for i in indices]
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
    main()
