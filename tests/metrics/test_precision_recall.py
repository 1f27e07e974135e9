import pytest
import torch

from asymflow.metrics import precision_recall as module
from asymflow.metrics.precision_recall import precision_recall


def features(count, seed, shift=0.0, scale=1.0):
    return shift + scale * torch.randn(count, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def brute_force(real, fake, k):
    def distance(x, y):
        return sum((p - q) ** 2 for p, q in zip(x.tolist(), y.tolist(), strict=True)) ** 0.5

    def covered(points, centres):
        others = [sorted(distance(c, o) for j, o in enumerate(centres) if j != i) for i, c in enumerate(centres)]
        inside = [any(distance(p, c) <= o[k - 1] for c, o in zip(centres, others, strict=True)) for p in points]
        return sum(inside) / len(points)

    return covered(fake, real), covered(real, fake)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("chunk", [7, 1000])  # several chunks, the last one short, and a single one
def test_precision_and_recall_agree_with_brute_force(k, chunk, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", chunk)
    real, fake = features(37, seed=0, shift=50), features(37, seed=1, shift=50.7, scale=0.8)
    assert precision_recall(real, fake, neighbours=k) == brute_force(real, fake, k)


def test_copies_of_the_real_set_have_full_precision_and_recall():
    real = features(40, seed=0)
    assert precision_recall(real, real.flip(0), neighbours=3) == (1, 1)


def test_sets_far_apart_have_none():
    assert precision_recall(features(40, seed=0), features(40, seed=1, shift=100), neighbours=3) == (0, 0)


def test_a_dropped_mode_costs_recall_and_not_precision():
    real = torch.cat([features(50, seed=0), features(50, seed=1, shift=100)])
    precision, recall = precision_recall(real, features(100, seed=2), neighbours=3)
    assert precision > 0.7
    assert recall <= 0.5


def test_duplicates_do_not_count_as_themselves_but_as_each_other():
    # each feature twice: its nearest other one is at distance 0, so with k = 1 the balls are points
    real = features(10, seed=0).repeat(2, 1)
    assert precision_recall(real, real + 0.01, neighbours=1) == (0, 0)


def test_unequal_or_too_small_sets_are_refused():
    with pytest.raises(ValueError, match="5 real and 6 fake"):
        precision_recall(features(5, seed=0), features(6, seed=1), neighbours=3)
    with pytest.raises(ValueError, match="do not have 3 neighbours"):
        precision_recall(features(3, seed=0), features(3, seed=1), neighbours=3)
