"""The search for the guidance scale and interval, and if so wished the average of the weights, that give the smallest distance.

It costs a small part of the full grid.

Four things make it cheap, and none changes what is compared: all candidates start from the same noise, so their differences
are far less noisy than their values; the unguided beginning of a trajectory is shared (`sampler.sample_each`); candidates
that are worse beyond doubt on few samples are dropped before more are drawn; and the grid is refined around the best.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from asymflow.config.sampling import LONGEST, SHORTEST
from asymflow.config.search import Search
from asymflow.flow.guidance import in_interval


class Candidate(NamedTuple):
    """A guidance setting: its scale, and the interval [0, end] of noise levels that it acts in.

    Where the average of the weights is searched too: its length.
    """

    scale: float
    end: float
    average: float | None = None


UNGUIDED = Candidate(1.0, 0.0)


@dataclass(frozen=True)
class Measured:
    """A candidate's distance on the samples so far, and the same with one block of them left out at a time."""

    value: float
    left_out: Float[np.ndarray, "blocks"]


@dataclass(frozen=True)
class Outcome:
    """The best candidate, every candidate's last distance, the samples it rests on, and who was dropped in which round."""

    optimum: Candidate
    measured: dict[Candidate, Measured]
    samples: dict[Candidate, int]
    dropped: dict[Candidate, int]


# measure(candidates, count) -> their distances on the first `count` samples
Measure = Callable[[list[Candidate], int], dict[Candidate, Measured]]


class Grid:
    """All candidates of a configuration that give different samples.

    Two intervals that hold the same noise levels of the solver are one candidate, named by its smallest end; scale 1 means no
    guidance in any interval. `averages` are the lengths that are searched; None alone takes the weights as they are.
    """

    def __init__(self, search: Search, times: list[float], averages: Sequence[float | None] = (None,)):
        self.averages = list(averages)
        count = int((search.scale_high - search.scale_low) / search.scale_step + 1e-9) + 1  # none beyond the largest
        self.scales = [round(search.scale_low + i * search.scale_step, 10) for i in range(count)]
        steps = int(1 / search.interval_step + 1e-9)  # a last end beyond 1 would be no noise level
        every_end = [round(i * search.interval_step, 10) for i in range(1, steps + 1)]
        # the grid as it is published, repetitions included
        self.nominal = [Candidate(*point) for point in product(self.scales, every_end, self.averages)]
        ends: dict[int, float] = {}
        for end in every_end:
            ends.setdefault(guided_levels(end, times), end)
        self.ends = [end for levels, end in ends.items() if levels]

    def at(self, i: int, j: int, k: int = 0) -> Candidate:
        """The candidate of the i-th scale, the j-th end and the k-th average."""
        scale, end = (1.0, 0.0) if self.scales[i] == 1 else (self.scales[i], self.ends[j])
        return Candidate(scale, end, self.averages[k])

    def coarse(self, stride: int) -> list[Candidate]:
        """Every `stride`-th scale, end and average, the largest of each included."""
        every = (range(len(axis) - 1, -1, -stride) for axis in (self.scales, self.ends, self.averages))
        return _unique(self.at(*place) for place in product(*every))

    def around(self, candidate: Candidate, stride: int) -> list[Candidate]:
        """The candidate and those one stride away from it: up to eight in scale, in end or in both, two in the average."""
        k, steps = self.averages.index(candidate.average), (0, -stride, stride)
        others = [_within(k + dk, self.averages) for dk in steps]
        if candidate.scale == 1:  # it borders on the weakest guidance, of either sign, everywhere
            i, every = self.scales.index(1), range(0, len(self.ends), stride)
            near = (self.at(_within(i + di, self.scales), j, k) for di, j in product((-stride, stride), every))
            return _unique([*(self.at(i, 0, other) for other in others), *near])
        i, j = self.scales.index(candidate.scale), self.ends.index(candidate.end)
        beside = (
            self.at(_within(i + di, self.scales), _within(j + dj, self.ends), k) for di, dj in product(steps, steps)
        )
        return _unique([*beside, *(self.at(i, j, other) for other in others)])

    def all(self) -> list[Candidate]:
        """Every candidate."""
        return self.coarse(1)


def lengths(search: Search) -> list[float]:
    """The lengths of averages that a search looks at, each the same factor after the one before."""
    return [round(float(length), 4) for length in np.geomspace(SHORTEST, LONGEST, search.averages)]


def guided_levels(end: float, times: list[float]) -> int:
    """How many of the solver's noise levels, but for the last, 0, the interval [0, end] guides."""
    return sum(in_interval(t, (0.0, end)) for t in times[:-1])


def evaluations(candidate: Candidate, times: list[float], visits: list[int]) -> int:
    """Evaluations of the network that one sample costs by itself: one for each visit of a level, and one more where it is
    guided."""
    guided = [] if candidate.scale == 1 else [in_interval(t, (0.0, candidate.end)) for t in times[:-1]]
    return sum(visits) + sum(n for n, yes in zip(visits, guided, strict=False) if yes)


def worse(a: Measured, b: Measured, confidence: float) -> bool:
    """Whether a is worse than b, with so much confidence: a one-sided t-test on the jackknife error of their difference.

    Both were measured on the same noise, so what they share cancels.
    """
    difference, parts = a.value - b.value, a.left_out - b.left_out
    blocks = len(parts)
    error = np.sqrt((blocks - 1) / blocks * np.square(parts - parts.mean()).sum())
    return bool(difference > stats.t.ppf(confidence, blocks - 1) * error)


def search_guidance(grid: Grid, measure: Measure, search: Search, say: Callable[[str], None]) -> Outcome:
    """The best candidate of the grid: coarse and on few samples first, then ever finer and on more.

    Each round halves the spacing and doubles the samples. Candidates that are worse than the best beyond doubt are dropped;
    around the best `keep` of the others the grid is filled in, until none of them has a neighbour that was not looked at.
    """
    measured: dict[Candidate, Measured] = {}
    samples: dict[Candidate, int] = {}
    dropped: dict[Candidate, int] = {}
    alive: list[Candidate] = []
    best = UNGUIDED

    for number in range(1, search.rounds + 1):
        stride, count = 2 ** (search.rounds - number), search.count >> (search.rounds - number)
        fresh = grid.coarse(stride) if number == 1 else []
        while fresh := [c for c in _unique([*alive, *fresh]) if samples.get(c) != count]:
            say(f"round {number} of {search.rounds}: {len(fresh)} candidates, {count} samples")
            measured |= measure(fresh, count)
            samples |= dict.fromkeys(fresh, count)
            judged = [c for c in measured if samples[c] == count]
            best = min(judged, key=lambda c: measured[c].value)
            dropped |= {c: number for c in judged if worse(measured[c], measured[best], search.confidence)}
            alive = sorted((c for c in judged if c not in dropped), key=lambda c: measured[c].value)[: search.keep]
            fresh = [near for c in alive for near in grid.around(c, stride) if near not in dropped]
    return Outcome(best, measured, samples, dropped)


def _within(place: int, axis: list) -> int:
    return min(max(place, 0), len(axis) - 1)


def _unique(candidates) -> list[Candidate]:
    return list(dict.fromkeys(candidates))
