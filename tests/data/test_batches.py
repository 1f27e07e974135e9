import torch

from asymflow.data.batches import indices, order


def test_an_epoch_is_a_permutation_and_a_function_of_seed_and_epoch():
    assert sorted(order(50, 3, 0).tolist()) == list(range(50))
    assert torch.equal(order(50, 3, 0), order(50, 3, 0))
    assert not torch.equal(order(50, 3, 0), order(50, 3, 1))
    assert not torch.equal(order(50, 3, 0), order(50, 4, 0)), "the seed must matter too"


def test_positions_run_through_epochs_without_a_gap():
    sequence = torch.cat([order(7, 0, epoch) for epoch in range(4)])
    for start, stop in ((0, 7), (3, 5), (5, 9), (6, 22), (14, 15)):
        assert torch.equal(indices(7, 0, start, stop), sequence[start:stop])
