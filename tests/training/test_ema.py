import math

import pytest
import torch

from asymflow.training.ema import Averages, PowerAverage, StaleAverage


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


def test_a_power_average_copies_first_and_then_weighs_updates_by_their_power():
    """Karras et al.: weights that move by one per update are averaged to a fixed share of the way."""
    weight = {"w": torch.nn.Parameter(torch.full((1,), 5.0, dtype=torch.float64))}
    average = PowerAverage(weight, gamma=7.0)
    average.weights["w"].fill_(-100.0)
    average.update(1)
    assert average.weights["w"].item() == 5.0, "nothing of the start is left"
    average.update(1)
    assert average.updates == 2
    for n in range(3, 4_001):
        weight["w"].data.fill_(n)
        average.update(1)
    # the continuous profile (gamma + 1) n^gamma / N^(gamma + 1) has its mean at N (gamma + 1) / (gamma + 2)
    assert average.weights["w"].item() / 4_000 == pytest.approx(8 / 9, rel=2e-3)


def test_the_second_update_of_a_power_average_keeps_one_part_in_256():
    weight = {"w": torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))}
    average = PowerAverage(weight, gamma=7.0)
    average.update(1)
    weight["w"].data.fill_(1.0)
    average.update(1)
    assert average.weights["w"].item() == 1 - 2**-8


def test_a_stale_average_mostly_remembers_the_first_updates():
    """prx-tg's decay: of the average after 5000 updates, 63.8 % are weights of the first 500 updates. [computed from its code]"""
    weight = torch.zeros(())
    average = StaleAverage({"w": weight})
    for update in range(5_000):
        weight.fill_(float(update < 500))  # 1 for as long as it counts
        average.update(64)
    assert average.weights["w"].item() == pytest.approx(0.638, abs=0.001)


def test_a_stale_average_goes_on_where_it_was():
    weight = torch.ones(3)
    through, first = StaleAverage({"w": weight}), StaleAverage({"w": weight})
    for average in (through, first):
        for i in range(4):
            weight.fill_(i)
            average.update(1)
    resumed = StaleAverage({"w": torch.full((3,), 9.0)})
    resumed._parameters["w"] = weight
    resumed.restore(first.tensors())
    weight.fill_(7)
    for average in (through, resumed):
        average.update(1)
    assert torch.equal(through.weights["w"], resumed.weights["w"])
