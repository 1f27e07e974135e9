"""Nearest images by the cosine of their features."""

import torch

from asymflow.metrics.memorisation import nearest


def test_a_copy_is_found_whatever_its_length():
    images = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
    values, numbers = nearest(3 * images[[4, 11]], images, 2)
    assert numbers[:, 0].tolist() == [4, 11]
    torch.testing.assert_close(values[:, 0], torch.ones(2))
    assert (values[:, 1] < 1).all()


def test_a_set_smaller_than_asked_for_gives_all_of_it():
    values, numbers = nearest(torch.randn(3, 4), torch.randn(2, 4), 8)
    assert values.shape == numbers.shape == (3, 2)
