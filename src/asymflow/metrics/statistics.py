"""What is kept of a set of images so that it can be compared with others: moments, and features of some.

Letters in shapes: k kept images, d features, c classes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from asymflow import tensors
from asymflow.metrics.evaluators import Evaluator
from asymflow.metrics.frechet import Moments
from asymflow.progress import Progress


@dataclass(frozen=True)
class Statistics:
    """A set of images as an evaluator sees it."""

    images: Moments  # of the features of all images
    patches: Moments  # of the features of one crop of each
    features: Float[Tensor, "k d"]  # of the kept images, float32
    probabilities: Float[Tensor, "k c"]  # of the kept images
    kept: Int[Tensor, "k"]  # their numbers, in order


def choose(count: int, most: int, seed: int) -> Int[Tensor, "k"]:
    """The numbers of at most `most` of `count` images, by seed, in order."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:most].sort().values


def gather(
    evaluator: Evaluator,
    batches: Iterable[UInt8[Tensor, "_ 3 h w"]],
    kept: Int[Tensor, "k"],
    *,
    count: int,
    seed: int,
    what: str,
) -> Statistics:
    """The statistics of `count` images that come in batches, in one pass. `seed` places the crops.

    Raises ValueError when the batches hold another number of images.
    """
    images = patches = None
    features, probabilities, first = [], [], 0
    with Progress(what, count, "images") as progress:
        for batch in batches:
            look, crops = evaluator.look(batch), evaluator.look(evaluator.crops(batch, first, seed))
            images = Moments.of(look.features) if images is None else images.update(look.features)
            patches = Moments.of(crops.features) if patches is None else patches.update(crops.features)
            positions = kept[(kept >= first) & (kept < first + len(batch))] - first
            features.append(look.features.cpu()[positions])
            probabilities.append(look.probabilities.cpu()[positions])
            first += len(batch)
            progress.advance(len(batch))
    if first != count or images is None or patches is None:
        raise ValueError(f"{what}: {count} images were expected, but {first} came")
    return Statistics(images, patches, torch.cat(features), torch.cat(probabilities), kept)


def save(statistics: Statistics, path: Path, description: dict[str, Any]) -> None:
    """Writes statistics with a description of what they are of."""
    stored = {"features": statistics.features, "probabilities": statistics.probabilities, "kept": statistics.kept}
    for name, moments in (("images", statistics.images), ("patches", statistics.patches)):
        stored |= {f"{name}.mean": moments.mean, f"{name}.scatter": moments.scatter}
    tensors.save(path, "statistics", stored, description | {"count": statistics.images.count})


def load(path: Path) -> tuple[Statistics, dict[str, Any]]:
    """The statistics in a file and their description. Raises ValueError for another file."""
    description, loaded = tensors.describe(path, "statistics"), tensors.load(path, "statistics")
    moments = [
        Moments(description["count"], loaded[f"{n}.mean"], loaded[f"{n}.scatter"]) for n in ("images", "patches")
    ]
    return Statistics(*moments, loaded["features"], loaded["probabilities"], loaded["kept"]), description
