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


def test_the_deviation_is_that_of_the_scores_of_the_splits():
    """Of certain samples, no two of one class, a split scores as many as it holds, however they are shuffled."""
    assert inception_score(torch.eye(3), splits=2, seed=0) == pytest.approx((1.5, 0.5), rel=1e-12)  # 2 and 1
    assert inception_score(torch.eye(5), splits=3, seed=0) == pytest.approx(
        (5 / 3, 2**0.5 / 3), rel=1e-12
    )  # 2, 2 and 1


def test_two_splits_agree_with_the_definition():
    p = probabilities(30, 4, seed=0).double()
    order = torch.randperm(30, generator=torch.Generator().manual_seed(3))
    first, second = ((q * (q / q.mean(0)).log()).sum(1).mean().exp().item() for q in (p[order[:15]], p[order[15:]]))
    expected = (first + second) / 2, abs(first - second) / 2
    assert inception_score(p, splits=2, seed=3) == pytest.approx(expected, rel=1e-9)


def test_classes_that_come_one_after_the_other_are_shuffled_before_splitting():
    contiguous = one_hot(torch.arange(1000) // 200).double()
    score = inception_score(contiguous, splits=5, seed=0)  # unshuffled, each split would hold one class and score 1
    assert score.mean > 4.8
    assert score == inception_score(contiguous, splits=5, seed=0)
    assert score != inception_score(contiguous, splits=5, seed=1)


def test_more_splits_than_samples_are_refused():
    with pytest.raises(ValueError, match="3 samples cannot be cut into 4 splits"):
        inception_score(probabilities(3, 2, seed=0), splits=4, seed=0)
