"""The time that is left: right from the second call on, whatever the first one took."""

import re

import pytest

from asymflow import progress
from asymflow.progress import Progress


class Clock:
    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def lines(clock, capsys, seconds, total=1000, count=100):
    with Progress("train", total, "images") as bar:
        for passed in seconds:
            clock.now += passed
            bar.advance(count, "loss 1")
    return capsys.readouterr().err.splitlines()


def test_the_compiler_s_time_is_no_part_of_the_rate(clock, capsys):
    said = lines(clock, capsys, [600, *[10] * 9])
    assert said[0] == "train: 100/1000 images (10 %)  loss 1"
    left = [re.search(r", ([0-9.]+) images/s, (\S+) left", line).groups() for line in said[1:]]
    assert left == [("10.0", f"0:{seconds // 60:02d}:{seconds % 60:02d}") for seconds in range(80, -1, -10)]


def test_a_machine_that_gets_busy_is_noticed(clock, capsys):
    said = lines(clock, capsys, [10] * 20 + [30] * 20, total=10000)
    assert "10.0 images/s" in said[19] and "3.3 images/s" in said[39]


def test_little_is_said_in_little_time(clock, capsys):
    said = lines(clock, capsys, [1.0] * 10)
    assert len(said) == 2 and said[-1].startswith("train: 1000/1000 images (100 %)")
