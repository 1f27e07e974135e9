"""The order in which images are seen."""

import numpy as np
import torch

from asymflow.data.order import permutation, taken, windows

SHARDS = [range(first, first + 50) for first in range(0, 2000, 50)]


def test_an_epoch_is_a_permutation_and_a_function_of_seed_and_epoch():
    assert sorted(permutation(50, 3, 0).tolist()) == list(range(50))
    assert torch.equal(permutation(50, 3, 0), permutation(50, 3, 0))
    assert not torch.equal(permutation(50, 3, 0), permutation(50, 3, 1))
    assert not torch.equal(permutation(50, 3, 0), permutation(50, 4, 0)), "the seed must matter too"


def test_positions_run_through_epochs_without_a_gap():
    sequence = torch.cat([permutation(7, 0, epoch) for epoch in range(4)])
    for start, stop in ((0, 7), (3, 5), (5, 9), (6, 22), (14, 15)):
        assert torch.equal(taken(lambda epoch: permutation(7, 0, epoch), 7, start, stop), sequence[start:stop])


def test_a_window_has_the_images_of_its_shards_and_every_epoch_mixes_others():
    first, second = windows(SHARDS, 8, 0, 0), windows(SHARDS, 8, 0, 1)
    assert [len(images) for images in first] == [400] * 5
    for epoch in (first, second):
        assert sorted(torch.cat(epoch).tolist()) == list(range(2000))
        assert all(len(np.unique(images // 50)) == 8 for images in epoch)
    shards = [[set((images // 50).tolist()) for images in epoch] for epoch in (first, second)]
    assert not any(one == other for one in shards[0] for other in shards[1])


def together(epochs: list[torch.Tensor], batch: int) -> float:
    """How often two images of one shard meet in a batch, as a share of all pairs in batches."""
    met = pairs = 0
    for order in epochs:
        for images in order.split(batch):
            same = images[:, None] // 50 == images // 50
            met, pairs = met + int(same.sum()) - len(images), pairs + len(images) * (len(images) - 1)
    return met / pairs


def test_mixing_nears_that_of_the_plain_permutation_as_windows_grow():
    """In a batch from a window of w shards two images are of one shard in 49 of 50 w - 1 cases; of all 40 shards, 49 of 1999."""
    plain = together([permutation(2000, 0, epoch) for epoch in range(10)], 50)
    assert abs(plain - 49 / 1999) < 2e-3
    for size in (1, 4, 8, 20, 40):
        mixed = together([torch.cat(windows(SHARDS, size, 0, epoch)) for epoch in range(10)], 50)
        assert abs(mixed - 49 / (50 * size - 1)) < 8e-3, size
