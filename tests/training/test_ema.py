import math

import torch

from asymflow.training.ema import Averages


def test_an_average_forgets_its_start_by_1_over_e_in_one_horizon_at_any_batch_size():
    for batch in (10, 100):
        weight = {"w": torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))}
        averages = Averages(weight, (1_000,))
        averages.weights[1_000]["w"].fill_(1.0)
        for _ in range(1_000 // batch):
            averages.update(batch)
        torch.testing.assert_close(averages.weights[1_000]["w"], torch.full((3,), math.exp(-1), dtype=torch.float64))


def test_averages_of_several_horizons_are_kept_apart_and_follow_the_weights():
    weight = {"w": torch.nn.Parameter(torch.zeros(1))}
    averages = Averages(weight, (10, 10_000))
    weight["w"].data.fill_(1.0)
    averages.update(100)
    assert averages.weights[10]["w"].item() > 0.999
    assert averages.weights[10_000]["w"].item() < 0.011
