"""Batches that fit into the memory of a device."""

import pytest
import torch

from asymflow.fitting import Fitting


def small(room):
    """Work that fits for at most so many items, and remembers what it was given."""
    given = []

    def work(items):
        given.append(len(items))
        if len(items) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return sum(items)

    return work, given


def test_a_batch_that_does_not_fit_is_halved_once_and_for_all(capsys):
    (work, given), fitting = small(3), Fitting("encode", 8)
    made = [(list(items), result) for items, result in fitting.of(range(10), work)]
    assert made == [([0, 1], 1), ([2, 3], 5), ([4, 5], 9), ([6, 7], 13), ([8, 9], 17)]
    assert given == [8, 4, 2, 2, 2, 2, 2]
    assert [sum(items) for items, _ in fitting.of([1, 2, 3], work)] == [3, 3] and given[7:] == [2, 1]
    assert capsys.readouterr().out.count("do not fit into the memory of the device, going on with") == 2


def test_what_fits_is_done_at_once():
    work, given = small(100)
    assert [len(items) for items, _ in Fitting("encode", 4).of(list(range(10)), work)] == [4, 4, 2] == given


def test_not_even_one_is_an_error_in_a_sentence():
    with pytest.raises(MemoryError, match="encode: not even one item fits"):
        list(Fitting("encode", 4).of(range(10), small(0)[0]))
