"""The guidance search finds what the full grid finds, at a tenth of its cost."""

import numpy as np
import pytest
import torch
from torch import nn

from asymflow import parts
from asymflow.config.sampling import LONGEST, SHORTEST, Sampling
from asymflow.config.search import Search
from asymflow.flow.solver import time_grid
from asymflow.metrics.frechet import Moments, frechet_distance
from asymflow.models.condition import Condition, Shapes, presence
from asymflow.sampling.sampler import noise, sample, sample_each
from asymflow.sampling.search import (
    UNGUIDED,
    Candidate,
    Grid,
    Measured,
    evaluations,
    guided_levels,
    lengths,
    search_guidance,
    worse,
)

STEPS, SHAPE, CLASSES = 12, (3, 2, 2), 4
TIMES = time_grid(STEPS)
SEARCH = Search(count=400, rounds=3)
GRID = Grid(SEARCH, TIMES)
BASE = Sampling(steps=STEPS, guidance={"kind": "searched"})


class Blurred(nn.Module):
    """The exact velocity of Gaussian classes, seen through an error that guidance can mend: means too near each other.

    Data of class c is N(m_c, 0.2^2) with means of length 1; this model believes in means of 0.5 m_c, and without a class in
    a mean of 0, both with a variance of 0.06. The posterior mean of a Gaussian has a closed form.

    An average of the weights of another length than 0.07 believes in a variance that is too great.
    """

    def __init__(self):
        super().__init__()
        self.calls, self.variance = 0, 0.06
        means = np.random.default_rng(0).standard_normal((CLASSES, 12)).astype(np.float32)
        self.means = torch.from_numpy(means / np.linalg.norm(means, axis=1, keepdims=True))

    def forward(self, x, t, condition):
        self.calls += len(x)
        t = t[:, None, None]
        known = condition.shows("class")[:, None, None]
        mean = torch.where(known, 0.5 * self.means[condition.label][:, None], torch.zeros(()))
        x_0 = mean + (1 - t) * self.variance / ((1 - t) ** 2 * self.variance + t**2) * (x - (1 - t) * mean)
        return (x - x_0) / t

    def take(self, average):
        self.variance = 0.06 + 0.05 * np.log(average / 0.07) ** 2 if average else 0.06

    def data(self, count):
        labels = torch.arange(count) % CLASSES
        spread = 0.2 * torch.randn(count, 12, generator=torch.Generator().manual_seed(1))
        return self.means[labels] + spread


def settings(candidate, solver="heun"):
    return BASE.model_copy(update={"solver": solver}).guided(candidate.scale, (0.0, candidate.end))


def condition(numbers):
    label = torch.tensor(numbers) % CLASSES
    return Condition(presence(["class"], len(numbers)), (1, 1), label=label)


@pytest.fixture
def blurred(run_of):
    """blurred() -> a run of that model; its patch is the whole image, and its output the full velocity."""

    def made():
        sections = {"target": {"rank": "full"}}
        return run_of(
            Blurred(),
            torch.eye(12),
            Shapes(classes=CLASSES),
            sections,
            image_size=2,
            grid=(1, 1),
            classes=tuple("abcd"),
        )

    return made


class Judge:
    """Distances of candidates on pixels, with the samples kept."""

    def __init__(self, run, seed):
        self.run, self.model, self.seed = run, run.model.network, seed
        self.reference, self.known = Moments.of(self.model.data(4000)), {}

    def measure(self, candidates, count):
        groups = {(c.average, len(self.known.get(c, ()))) for c in candidates}
        for average, size in sorted(g for g in groups if g[1] < count):
            group = [c for c in candidates if (c.average, len(self.known.get(c, ()))) == (average, size)]
            self.model.take(average)
            start = noise(self.seed, range(size, count), SHAPE)
            images = sample_each(self.run, start, condition(range(size, count)), [settings(c) for c in group])
            for candidate, drawn in zip(group, images, strict=True):
                values = drawn.permute(0, 2, 3, 1).flatten(1).float() / 127.5 - 1  # in the order of the means
                self.known[candidate] = torch.cat([self.known.get(candidate, values[:0]), values])
        return {c: self.measured(self.known[c]) for c in candidates}

    def measured(self, features):
        blocks = features.tensor_split(10)
        left = [torch.cat([*blocks[:i], *blocks[i + 1 :]]) for i in range(10)]
        distances = [frechet_distance(self.reference, Moments.of(x)) for x in (features, *left)]
        return Measured(distances[0], np.array(distances[1:]))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_it_finds_the_full_grid_s_optimum_at_a_tenth_of_the_cost(blurred, seed):
    judge, brute = Judge(blurred(), seed), Judge(blurred(), seed)
    outcome = search_guidance(GRID, judge.measure, SEARCH, lambda text: None)
    brute.measured = lambda features: Measured(frechet_distance(brute.reference, Moments.of(features)), np.zeros(10))
    full = brute.measure(GRID.all(), SEARCH.count)
    best = min(full, key=lambda c: full[c].value)
    assert best > UNGUIDED and best.scale < 4 and best.end < 1, "an optimum on the rim would make this test easy"
    assert outcome.optimum == best
    assert outcome.measured[best].value == pytest.approx(full[best].value, rel=1e-12)
    published, distinct = (SEARCH.count * sum(map(cost, points)) for points in (GRID.nominal, GRID.all()))
    assert brute.model.calls < distinct < published, "the brute search shares beginnings too"
    assert judge.model.calls < 0.05 * published and judge.model.calls < 0.2 * distinct


@pytest.mark.slow
def test_with_the_average_it_finds_the_full_grid_s_optimum_at_a_few_percent_of_the_cost(blurred):
    search = Search(count=120, averages=5, scale_step=0.25, keep=12)
    grid = Grid(search, TIMES, lengths(search))
    judge, brute = Judge(blurred(), 0), Judge(blurred(), 0)
    outcome = search_guidance(grid, judge.measure, search, lambda text: None)
    brute.measured = lambda features: Measured(frechet_distance(brute.reference, Moments.of(features)), np.zeros(10))
    full = brute.measure(grid.all(), search.count)
    best = min(full, key=lambda c: full[c].value)
    assert SHORTEST < best.average < LONGEST and 1 < best.scale < 4, "an optimum on the rim would make this test easy"
    assert outcome.optimum == best
    published, distinct = (search.count * sum(map(cost, points)) for points in (grid.nominal, grid.all()))
    assert judge.model.calls < 0.03 * published and judge.model.calls < 0.2 * distinct


@pytest.mark.parametrize(("step", "last"), [(0.06, 0.96), (0.3, 0.9), (0.02, 1.0), (1.0, 1.0)])
def test_ends_of_intervals_are_noise_levels_also_where_the_step_does_not_divide_one(step, last):
    grid = Grid(Search(interval_step=step), TIMES)
    assert max(c.end for c in grid.nominal) == last and all(0 < end <= 1 for end in grid.ends)


def test_averages_are_an_axis_of_the_grid_whose_neighbours_keep_the_guidance():
    search = Search(averages=5)
    grid = Grid(search, TIMES, lengths(search))
    assert lengths(search)[0] == SHORTEST and lengths(search)[-1] == LONGEST
    assert len(grid.all()) == 5 * len(GRID.all()) and len(grid.nominal) == 5 * len(GRID.nominal)
    inner = grid.at(10, 3, 2)
    around = grid.around(inner, 1)
    assert len(around) == 11 and {c.average for c in around if c[:2] != inner[:2]} == {inner.average}
    assert {c.average for c in around if c[:2] == inner[:2]} == set(lengths(search)[1:4])
    unguided = grid.at(0, 0, 4)
    assert {c.average for c in grid.around(unguided, 1) if c.scale == 1} == set(lengths(search)[3:])


@pytest.mark.parametrize("solver", ["heun", "euler", "unipc"])
def test_the_shared_beginning_changes_no_bit(blurred, solver):
    run, asked, start = blurred(), condition(range(8)), noise(0, range(8), SHAPE)
    candidates = [UNGUIDED, *GRID.coarse(4)]
    images = sample_each(run, start, asked, [settings(c, solver) for c in candidates])
    for candidate, drawn in zip(candidates, images, strict=True):
        assert torch.equal(drawn, sample(run, start, asked, settings(candidate, solver)))


@pytest.mark.parametrize("solver", ["heun", "euler", "unipc"])
def test_sharing_saves_evaluations_where_the_solver_s_steps_stand_alone(blurred, solver):
    run, candidates = blurred(), [Candidate(2.0, 0.3), Candidate(3.0, 0.3)]
    list(sample_each(run, noise(0, range(1), SHAPE), condition([0]), [settings(c, solver) for c in candidates]))
    apart = sum(cost(c, solver) for c in candidates)
    assert (run.model.network.calls < apart) == (solver != "unipc") and run.model.network.calls <= apart


def cost(candidate, solver="heun"):
    return evaluations(candidate, TIMES, parts.load(parts.solver(solver)).visits(STEPS))


@pytest.mark.parametrize("solver", ["heun", "euler", "unipc"])
@pytest.mark.parametrize(
    "candidate", [UNGUIDED, Candidate(2.0, 1.0), Candidate(2.0, 0.5), Candidate(1.5, 0.1), Candidate(2.0, 0.01)]
)
def test_costs_are_those_of_plain_sampling(blurred, candidate, solver):
    run = blurred()
    sample(run, noise(0, range(1), SHAPE), condition([0]), settings(candidate, solver))
    assert run.model.network.calls == cost(candidate, solver)


def test_the_grid_is_the_paper_s_without_its_repetitions():
    assert GRID.scales[0] == 1 and GRID.scales[-1] == 4 and len(GRID.scales) == 31
    assert [guided_levels(end, TIMES) for end in GRID.ends] == list(range(1, STEPS + 1))
    assert len(GRID.nominal) == 31 * 50 and len(GRID.all()) == 30 * 12 + 1
    shifted = Grid(SEARCH, time_grid(STEPS, 17.0))
    assert len(shifted.ends) < 12, "shifted noise levels are close to 1, where several lie between two ends"
    fine = Grid(SEARCH, time_grid(50))
    assert len(fine.ends) == 50, "at the published 50 steps every end is a candidate"
    assert set(GRID.coarse(4)) <= set(GRID.all()) and GRID.at(30, 11) in GRID.coarse(4)
    assert len(GRID.around(GRID.at(5, 5), 1)) == 9 and len(GRID.around(GRID.at(30, 11), 1)) == 4


@pytest.mark.parametrize(
    ("low", "high", "step", "last"), [(1, 4, 0.1, 4), (1, 4, 0.8, 3.4), (0.5, 2, 0.2, 1.9), (1, 1, 1, 1)]
)
def test_no_scale_is_beyond_the_largest_also_where_the_step_does_not_divide_the_range(low, high, step, last):
    scales = Grid(Search(scale_low=low, scale_high=high, scale_step=step), TIMES).scales
    assert (scales[0], scales[-1]) == (low, last)


def test_no_guidance_borders_on_the_scales_beside_it_wherever_it_lies_in_the_grid():
    grid = Grid(Search(scale_low=0.5, scale_high=2, scale_step=0.1), TIMES)
    assert {c.scale for c in grid.around(UNGUIDED, 1)} == {0.9, 1.0, 1.1}
    assert {c.scale for c in GRID.around(UNGUIDED, 1)} == {1.0, 1.1}


def test_worse_means_worse_than_the_noise_of_the_difference():
    common = np.random.default_rng(0).normal(size=10)
    a, b = Measured(11.0, 11 + common), Measured(10.0, 10 + common)
    assert worse(a, b, 0.95) and not worse(b, a, 0.95), "what both share says nothing against either"
    noisy = Measured(11.0, 11 + np.random.default_rng(1).normal(size=10))
    assert not worse(noisy, b, 0.95)


def test_a_flat_surface_ends_too():
    def flat(candidates, count):
        return {c: Measured(1.0, np.ones(10)) for c in candidates}

    outcome = search_guidance(GRID, flat, SEARCH, lambda text: None)
    assert outcome.measured[outcome.optimum].value == 1.0


def test_a_surface_that_is_all_noise_costs_no_full_grid():
    random = np.random.default_rng(0)

    def noisy(candidates, count):
        return {
            c: Measured(100 + random.normal(0, 60 / np.sqrt(count)), 100 + random.normal(size=10)) for c in candidates
        }

    def spent(search):
        outcome = search_guidance(GRID, noisy, search, lambda text: None)
        return sum(cost(c) * samples for c, samples in outcome.samples.items())

    distinct = SEARCH.count * sum(map(cost, GRID.all()))
    assert spent(SEARCH) < 0.35 * distinct
    assert spent(SEARCH) < 0.6 * spent(SEARCH.model_copy(update={"keep": 1000})), "that many keep everything"
