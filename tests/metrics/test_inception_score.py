import pytest
import torch
from torch.nn.functional import one_hot

from asymflow.metrics.inception_score import inception_score


def probabilities(count, classes, seed):
    return torch.randn(count, classes, generator=torch.Generator().manual_seed(seed)).softmax(1)


def test_certain_and_balanced_classes_score_their_number():
    certain = one_hot(torch.arange(60) % 5).double()
    assert inception_score(certain, splits=1, seed=0) == pytest.approx((5, 0), rel=1e-12)


def test_equal_probabilities_score_one():
    undecided = probabilities(1, 4, seed=0).expand(50, 4)
    assert inception_score(undecided, splits=5, seed=0).mean == pytest.approx(1, rel=1e-6)


def test_one_split_agrees_with_the_definition():
    p = probabilities(31, 4, seed=0).double()
    divergence = (p * (p / p.mean(0)).log()).sum(1).mean()
    assert inception_score(p, splits=1, seed=3).mean == pytest.approx(divergence.exp().item(), rel=1e-12)


def test_classes_that_come_one_after_the_other_are_shuffled_before_splitting():
    contiguous = one_hot(torch.arange(1000) // 200).double()
    score = inception_score(contiguous, splits=5, seed=0)  # unshuffled, each split would hold one class and score 1
    assert score.mean > 4.8
    assert score == inception_score(contiguous, splits=5, seed=0)
    assert score != inception_score(contiguous, splits=5, seed=1)


def test_more_splits_than_samples_are_refused():
    with pytest.raises(ValueError, match="3 samples cannot be cut into 4 splits"):
        inception_score(probabilities(3, 2, seed=0), splits=4, seed=0)
