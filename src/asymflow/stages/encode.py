"""Encodes the training images and their captions as text-to-image models see them: latent tokens and text tokens.

python -m asymflow.stages.encode --patch-size 16 --data results/data/train.json --latents results/latent/autoencoder.safetensors
    --reader results/evaluator/local.safetensors --out results/latent/train.json
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from asymflow import provenance
from asymflow.data import encoded
from asymflow.data.reader import ShardReader, parts
from asymflow.data.records import default_caption
from asymflow.models import latents as latent_space
from asymflow.models.latents import Latents
from asymflow.progress import Progress
from asymflow.training import text
from asymflow.training.text import TextReader

SHARD = 1_000  # images in one file
BATCH = 50  # images at a time
NEEDED = "text-to-image arms need one for each image: put a .txt file beside each, or let `captions.model` write them"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patch-size", type=int, required=True, help="side of a token in pixels")
    parser.add_argument("--data", type=Path, required=True, help="index of the training split")
    parser.add_argument("--latents", type=Path, required=True, help="autoencoder, or the folder of a FLUX.2 klein")
    parser.add_argument("--reader", type=Path, required=True, help="local evaluator, or the folder of a FLUX.2 klein")
    parser.add_argument(
        "--captions", type=Path, nargs="?", help="captions made by stage caption, in place of the set's own"
    )
    parser.add_argument("--out", type=Path, required=True, help="the index to write, its shards beside it")
    arguments = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    data = ShardReader(arguments.data)
    captions = arguments.captions.read_text().splitlines() if arguments.captions else own_captions(data)
    if len(captions) != len(data):
        raise ValueError(
            f"{arguments.captions} has {len(captions)} lines for the {len(data)} images of {arguments.data}"
        )
    check_captions(captions, arguments.captions or arguments.data)
    space = latent_space.load(arguments.latents, arguments.patch_size, device)
    reader = text.load(arguments.reader, device)
    description = {"data": str(arguments.data), "code": provenance.digest("asymflow.stages.encode")}
    shards = _shards(data, captions, space, reader, arguments.patch_size, device)
    encoded.write(arguments.out, shards, reader.tokens([""])[0].cpu(), description)


def own_captions(data: ShardReader) -> list[str]:
    """The captions that the images came with. Raises ValueError when some came with none: they were named by their class."""
    captions, classes = data.captions, [data.classes[label] for label in data.labels.tolist()]
    without = [i for i, name in enumerate(classes) if captions[i] == default_caption(name)]
    if without:
        first = data.record(without[0])
        raise ValueError(
            f"{data.path}: {len(without)} of {len(data)} images have no caption of their own, the first is {first['source']}"
            f" ({first['caption']!r}); {NEEDED}"
        )
    return captions


def check_captions(captions: list[str], where: Path) -> None:
    """Raises ValueError when captions are empty, or hardly any differ: a model would learn classes, not text."""
    missing = sum(not caption.strip() for caption in captions)
    if missing or len(set(captions)) < len(captions) / 10:
        found = (
            f"{missing} images have no caption"
            if missing
            else f"{len(captions)} images have {len(set(captions))} captions"
        )
        raise ValueError(f"{where}: {found}; {NEEDED}")


def _shards(
    data: ShardReader, captions: list[str], space: Latents, reader: TextReader, patch_size: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor, tuple[int, int]]]:
    with Progress("encode", len(data), "images") as progress:
        for numbers, (height, width) in data.buckets:
            for shard in parts(numbers, SHARD):
                found = []
                for indices in parts(shard, BATCH):
                    pixels = data.whole(indices).to(device).float() / 127.5 - 1
                    found.append((space.encode(pixels).cpu(), reader.tokens([captions[i] for i in indices]).cpu()))
                    progress.advance(len(indices))
                latents, words = (torch.cat(part) for part in zip(*found, strict=True))
                yield latents, words, (height // patch_size, width // patch_size)


if __name__ == "__main__":
    main()
