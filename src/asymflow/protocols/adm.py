"""ADM's evaluator (openai/guided-diffusion, evaluations/evaluator.py): what tables mean by FID, IS, precision and recall.

FID against the statistics of the whole training set that its reference file holds; IS as the mean over splits of 5000 in the
order of the samples, so their classes must come mixed; precision and recall of all samples against the file's own images, sets of
unequal size. Its distances between features are of half precision where that does not overflow; ours are exact.
"""

import math

import torch

from asymflow.metrics.frechet import Moments, frechet_distance
from asymflow.metrics.inception_score import score_of
from asymflow.metrics.precision_recall import coverage
from asymflow.protocols.networks import Look, Network, tensorflow_port
from asymflow.protocols.reference import Reference

NETWORK = tensorflow_port
SPLIT = 5000  # samples of one score
NEIGHBOURS = 3


def measure(network: Network, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Features and logits of a batch."""
    look: Look = network(images)
    return {"features": look.features, "logits": look.logits}


def compare(
    seen: dict[str, torch.Tensor], reference: Reference, real: dict[str, torch.Tensor] | None
) -> dict[str, float]:
    """Its numbers. `real` is what is seen in the reference's images; without them precision and recall are left out."""
    parts = seen["logits"].double().softmax(1).split(SPLIT)
    numbers = {
        "fid_adm": frechet_distance(Moments.of(seen["features"]), reference.moments()),
        "is_adm": math.fsum(score_of(part).item() for part in parts) / len(parts),
    }
    if real is None:
        return numbers
    precision, recall = coverage(real["features"], seen["features"], neighbours=NEIGHBOURS)
    return numbers | {"precision_adm": precision, "recall_adm": recall}
