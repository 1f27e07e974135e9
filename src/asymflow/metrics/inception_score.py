"""Inception score: are samples decided in their class, and the classes many?"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Score(NamedTuple):
    """Mean and standard deviation over the splits."""

    mean: float
    deviation: float


def inception_score(probabilities: Float[Tensor, "n c"], *, splits: int, seed: int) -> Score:
    """exp of the mean Kullback-Leibler divergence of each sample's classes p(y|x) from their mean p(y).

        IS = exp mean_x KL(p(y|x) || p(y))                                             [Salimans et al., 2016]

    Between 1 and the number of classes; any classifier's probabilities will do, and the score is that classifier's.
    Samples are shuffled by the seed before they are split, because they come ordered by class. With one split the
    deviation is 0. Raises when there are fewer samples than splits.
    """
    if not 1 <= splits <= len(probabilities):
        raise ValueError(f"{len(probabilities)} samples cannot be cut into {splits} splits")
    order = torch.randperm(len(probabilities), generator=torch.Generator().manual_seed(seed))
    scores = torch.stack([score_of(part) for part in probabilities.cpu().double()[order].tensor_split(splits)])
    return Score(scores.mean().item(), scores.std(correction=0).item())


def score_of(probabilities: Float[Tensor, "n c"]) -> Float[Tensor, ""]:
    """exp of the mutual information of sample and class: entropy of the mean minus mean of the entropies."""
    return (_entropy(probabilities.mean(0)) - _entropy(probabilities).mean()).exp()


def _entropy(probabilities: Tensor) -> Tensor:
    return torch.special.entr(probabilities).sum(-1)
