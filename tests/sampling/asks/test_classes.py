"""Asking for classes."""

import pytest
import torch
from torch import nn

from asymflow.config.sampling import Sampling
from asymflow.models.condition import Shapes
from asymflow.sampling.asks.classes import balanced_labels, build


def test_labels_are_balanced():
    assert balanced_labels(range(7), 3).tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert balanced_labels(range(4, 7), 3).tolist() == [1, 2, 0]


@pytest.mark.parametrize("count", [1, 7, 9, 100])
def test_any_count_is_as_even_as_it_can_be(run_of, count):
    request = build(run_of(nn.Identity()), Sampling(count=count), None)
    counts = request.condition(range(count)).label.bincount(minlength=3)
    assert request.count == count and counts.sum() == count and counts.max() - counts.min() <= 1


def test_images_are_told_their_class_whatever_batch_they_are_drawn_in_and_begin_with_their_own_noise(run_of):
    request = build(run_of(nn.Identity()), Sampling(count=10), None)
    whole = request.condition(range(10))
    assert whole.shows("class").all() and torch.equal(request.condition(range(4, 7)).label, whole.label[4:7])
    assert request.noises(range(4, 7)) == [4, 5, 6] and request.distribution == range(10)


def test_all_else_that_a_run_is_told_is_hidden(run_of):
    sections = {"conditions": {"shown": [{"share": 1.0, "what": ["class", "caption", "embedding"]}]}}
    shapes = Shapes(classes=3, caption=(4, 5), embedding=6)
    condition = build(run_of(nn.Identity(), shapes=shapes, sections=sections), Sampling(), None).condition(range(2))
    assert condition.shows("class").all() and condition.present.sum() == 2
    assert condition.text.shape == (2, 4, 5) and condition.embedding.shape == (2, 6)
