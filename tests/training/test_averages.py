"""Averages of weights: what each remembers, under which name, and that an interruption changes none of them."""

import math

import pytest
import torch

from asymflow.training.averages import Average, Horizon, Last, Power, Stale, build

NAMES = ("ema_3", "power_7", "stale", "last")


def weight(value: float = 0.0) -> dict[str, torch.Tensor]:
    return {"w": torch.nn.Parameter(torch.full((3,), value, dtype=torch.float64))}


def test_an_average_forgets_its_start_by_1_over_e_in_one_horizon_at_any_batch_size():
    for batch in (10, 100):
        average = Horizon("ema_1000", weight(), 1_000)
        average.weights["w"].fill_(1.0)
        for _ in range(1_000 // batch):
            average.update(batch)
        torch.testing.assert_close(average.weights["w"], torch.full((3,), math.exp(-1), dtype=torch.float64))


def test_averages_of_several_horizons_are_kept_apart_and_follow_the_weights():
    moving = weight()
    short, long = build(("ema_10", "ema_10000"), moving)
    moving["w"].data.fill_(1.0)
    for average in (short, long):
        average.update(100)
    assert (short.weights["w"] > 0.999).all()
    assert (long.weights["w"] < 0.011).all()


def test_a_power_average_copies_first_and_then_weighs_updates_by_their_power():
    """Karras et al.: weights that move by one per update are averaged to a fixed share of the way."""
    moving = weight(5.0)
    average = Power("power_7", moving, gamma=7.0)
    average.weights["w"].fill_(-100.0)
    average.update(1)
    assert (average.weights["w"] == 5.0).all(), "nothing of the start is left"
    average.update(1)
    assert average.updates == 2
    for n in range(3, 4_001):
        moving["w"].data.fill_(n)
        average.update(1)
    # the continuous profile (gamma + 1) n^gamma / N^(gamma + 1) has its mean at N (gamma + 1) / (gamma + 2)
    assert average.weights["w"][0].item() / 4_000 == pytest.approx(8 / 9, rel=2e-3)


def test_the_second_update_of_a_power_average_keeps_one_part_in_256():
    moving = weight()
    average = Power("power_7", moving, gamma=7.0)
    average.update(1)
    moving["w"].data.fill_(1.0)
    average.update(1)
    assert (average.weights["w"] == 1 - 2**-8).all()


def test_a_stale_average_mostly_remembers_the_first_updates():
    """Of the average after 5000 updates, 63.8 % are weights of the first 500 updates. [computed from prx-tg's code]"""
    moving = torch.zeros(())
    average = Stale("stale", {"w": moving})
    for update in range(5_000):
        moving.fill_(float(update < 500))  # 1 for as long as it counts
        average.update(64)
    assert average.weights["w"].item() == pytest.approx(0.638, abs=0.001)


def test_the_last_weights_are_those_that_training_moves():
    moving = weight()
    average = Last("last", moving)
    moving["w"].data.fill_(7.0)
    average.update(64)
    assert (average.weights["w"] == 7.0).all() and average.state() == {}


def test_a_name_says_what_is_averaged_and_over_how_long():
    horizon, power, fraction, stale, last = build(("ema_2000", "power_7", "power_6.94", "stale", "last"), weight())
    assert [type(average) for average in (horizon, power, fraction, stale, last)] == [
        Horizon,
        Power,
        Power,
        Stale,
        Last,
    ]
    assert horizon.horizon == 2000 and power.gamma == 7 and fraction.gamma == 6.94
    named = [average.name for average in (horizon, power, fraction, stale, last)]
    assert named == ["ema_2000", "power_7", "power_6.94", "stale", "last"]
    assert all(isinstance(average, Average) for average in (horizon, power, stale, last))


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_average_goes_on_where_it_was(name):
    """Restored over other weights and other counts, it ends with the same bits."""
    moving = weight(1.0)
    (through,) = build((name,), moving)
    for update in range(4):
        moving["w"].data.fill_(update)
        through.update(2)
    kept = {key: value.clone() for key, value in through.state().items()}
    (resumed,) = build((name,), moving)
    if name != "last":
        resumed.weights["w"].fill_(-9.0)
    resumed.restore(kept)
    for update in range(4, 7):
        moving["w"].data.fill_(update)
        through.update(2)
        resumed.update(2)
    assert torch.equal(through.weights["w"], resumed.weights["w"])
    assert through.state().keys() == resumed.state().keys()
    assert all(torch.equal(value, resumed.state()[key]) for key, value in through.state().items())


@pytest.mark.parametrize("name", NAMES)
def test_an_average_of_nothing_is_nothing(name):
    """An arm may keep a published model as it is."""
    (average,) = build((name,), {})
    average.update(64)
    assert average.weights == {}


@pytest.mark.parametrize("name", NAMES)
def test_averages_take_no_gradient_and_change_no_weight(name):
    moving = weight(2.0)
    (average,) = build((name,), moving)
    average.update(2)
    assert (moving["w"] == 2.0).all() and moving["w"].requires_grad
    if name != "last":
        assert not average.weights["w"].requires_grad
