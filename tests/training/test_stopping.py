"""When a training stops before its end."""

import time

import pytest

from asymflow.training import stopping
from asymflow.training.stopping import SPARE, Stop, ends


@pytest.fixture(autouse=True)
def nobody_limits(monkeypatch):
    for name in ("SLURM_JOB_ID", "SLURM_JOB_END_TIME", "ASYMFLOW_MINUTES"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_limit_or_a_signal_nothing_is_wished():
    assert ends() is None and not Stop(None).wished


def test_the_nearer_of_two_limits_counts(monkeypatch):
    monkeypatch.setenv("ASYMFLOW_MINUTES", "2.5")
    assert ends() == stopping.BEGAN + 150
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(stopping.BEGAN) + 60))
    assert ends() == int(stopping.BEGAN) + 60


@pytest.mark.parametrize("name", ["SLURM_JOB_END_TIME", "ASYMFLOW_MINUTES"])
def test_a_limit_that_is_no_number_is_an_error_that_names_it(monkeypatch, name):
    monkeypatch.setenv(name, "tomorrow")
    with pytest.raises(ValueError, match=f"{name}='tomorrow'; expected a number"):
        ends()


def test_how_long_a_save_takes_is_to_be_measured_where_the_time_is_limited():
    assert not Stop(None).unmeasured
    stop = Stop(time.time() + 1000)
    assert stop.unmeasured
    with stop.saving():
        pass
    assert not stop.unmeasured


def test_it_stops_in_time_for_two_saves_as_long_as_the_longest(monkeypatch):
    now = time.time()
    stop = Stop(now + SPARE + 20)
    assert not stop.wished
    clock = iter([0.0, 4.0, 4.0, 16.0, 16.0, 17.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    wished = []
    for _ in range(3):  # saves of 4, 12 and 1 seconds
        with stop.saving():
            pass
        wished.append(stop.wished)
    assert wished == [False, True, True]
