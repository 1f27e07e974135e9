"""All metrics of a set of samples against a reference."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from asymflow.config.scoring import Scoring
from asymflow.metrics.evaluators import Names
from asymflow.metrics.frechet import Moments, frechet_distance
from asymflow.metrics.inception_score import inception_score
from asymflow.metrics.kernel import kernel_distance
from asymflow.metrics.precision_recall import precision_recall
from asymflow.metrics.statistics import Statistics


def report_card(reference: Statistics, samples: Statistics, names: Names, settings: Scoring) -> dict[str, Any]:
    """The metrics by name, the errors of those that know theirs, and how many images each rests on.

    Frechet distances use the moments of all images on both sides. Kernel distance, precision and recall take as many
    reference images as samples, a random choice by seed where there are more, in random order: precision and recall
    mean nothing for unequal sets, and jackknife blocks must not be classes. The score uses all kept samples.
    """
    paired = min(len(reference.features), len(samples.features))
    real, fake = (_shuffled(s.features, settings.seed)[:paired] for s in (reference, samples))
    kernel = kernel_distance(real, fake, blocks=settings.kernel_blocks)
    score = inception_score(samples.probabilities, splits=settings.splits, seed=settings.seed)
    precision, recall = precision_recall(real, fake, neighbours=settings.neighbours)
    metrics = {
        names.frechet: frechet_distance(reference.images, samples.images),
        names.kernel: kernel.value,
        names.score: score.mean,
        names.precision: precision,
        names.recall: recall,
        names.patch_frechet: frechet_distance(reference.patches, samples.patches),
    }
    return {
        "metrics": metrics,
        "errors": {
            names.frechet: frechet_error(reference.images, samples.features, settings),
            names.kernel: kernel.error,
            names.score: score.deviation,
        },
        "samples": samples.images.count,
        "reference_images": reference.images.count,
        "paired_images": paired,
    }


def frechet_error(reference: Moments, features: Float[Tensor, "k d"], settings: Scoring) -> float:
    """The standard error of a Frechet distance that comes from the samples: a jackknife over blocks of them.

    err^2 = (B - 1) / B sum_b (F_-b - mean F_-b)^2,   F_-b without block b              [Efron and Stein 1981]

    Blocks are random, not classes. What the distance is too high for so few samples, which all runs share, is no part of it.
    """
    count = min(settings.frechet_blocks, len(features))
    blocks = [Moments.of(block) for block in _shuffled(features, settings.seed).tensor_split(count)]
    distances = []
    for left_out in range(len(blocks)):
        rest = Moments.empty(features.shape[1])
        for i, block in enumerate(blocks):
            rest = rest if i == left_out else rest.merge(block)
        distances.append(frechet_distance(reference, rest))
    spread = torch.tensor(distances, dtype=torch.float64)
    return ((len(blocks) - 1) * spread.var(correction=0)).sqrt().item()


def _shuffled(features: torch.Tensor, seed: int) -> torch.Tensor:
    return features[torch.randperm(len(features), generator=torch.Generator().manual_seed(seed))]
