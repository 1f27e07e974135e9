"""The guidance search finds what the full grid finds, at a tenth of its cost."""

import numpy as np
import pytest
import torch

from asymflow.config.sampling import Sampling
from asymflow.config.search import Search
from asymflow.flow.solver import time_grid
from asymflow.metrics.frechet import Moments, frechet_distance
from asymflow.sampling.prefix import sample_each, unguided_steps
from asymflow.sampling.sampler import noise, sample
from asymflow.sampling.search import (
    UNGUIDED,
    Candidate,
    Grid,
    Measured,
    evaluations,
    guided_levels,
    search_guidance,
    worse,
)

STEPS, SHAPE, PATCH, CLASSES = 12, (3, 2, 2), 2, 4
SEARCH = Search(count=400, rounds=3)
GRID = Grid(SEARCH, STEPS)


class Blurred:
    """The exact velocity of Gaussian classes, seen through an error that guidance can mend: means too near each other.

    Data of class c is N(m_c, 0.2^2) with means of length 1; this model believes in means of 0.5 m_c, and without a class in
    a mean of 0, both with a variance of 0.06. The posterior mean of a Gaussian has a closed form.
    """

    def __init__(self):
        self.calls = 0
        means = np.random.default_rng(0).standard_normal((CLASSES, 12)).astype(np.float32)
        self.means = torch.from_numpy(means / np.linalg.norm(means, axis=1, keepdims=True))

    def __call__(self, x, t, labels, *, sigma_min):
        self.calls += len(x)
        t = t[:, None, None]
        known = (labels < CLASSES)[:, None, None]
        mean = torch.where(known, 0.5 * self.means[labels.clamp_max(CLASSES - 1)][:, None], torch.zeros(()))
        x_0 = mean + (1 - t) * 0.06 / ((1 - t) ** 2 * 0.06 + t**2) * (x - (1 - t) * mean)
        return (x - x_0) / t

    def data(self, count):
        labels = torch.arange(count) % CLASSES
        spread = 0.2 * torch.randn(count, 12, generator=torch.Generator().manual_seed(1))
        return self.means[labels] + spread


def settings(candidate):
    return Sampling(steps=STEPS, guidance=candidate.scale, interval=(0.0, candidate.end))


class Judge:
    """Distances of candidates on pixels, with the samples kept."""

    def __init__(self, seed):
        self.model, self.seed = Blurred(), seed
        self.reference, self.known = Moments.of(self.model.data(4000)), {}

    def measure(self, candidates, count):
        labels = torch.arange(count) % CLASSES
        for size in sorted({len(self.known.get(c, ())) for c in candidates} - {count}):
            group = [c for c in candidates if len(self.known.get(c, ())) == size]
            start = noise(self.seed, range(size, count), SHAPE)
            images = sample_each(
                self.model,
                start,
                labels[size:],
                [settings(c) for c in group],
                patch_size=PATCH,
                colour="rgb",
                null_label=CLASSES,
            )
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
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_it_finds_the_full_grid_s_optimum_at_a_tenth_of_the_cost(seed):
    judge, brute = Judge(seed), Judge(seed)
    found = search_guidance(GRID, judge.measure, SEARCH, lambda text: None)
    brute.measured = lambda features: Measured(frechet_distance(brute.reference, Moments.of(features)), np.zeros(10))
    full = brute.measure(GRID.all(), SEARCH.count)
    best = min(full, key=lambda c: full[c].value)
    assert best > UNGUIDED and best.scale < 4 and best.end < 1, "an optimum on the rim would make this test easy"
    assert found.optimum == best
    assert found.measured[best].value == pytest.approx(full[best].value, rel=1e-12)
    published, distinct = (SEARCH.count * sum(evaluations(c, STEPS) for c in x) for x in (GRID.nominal, GRID.all()))
    assert brute.model.calls < distinct < published, "the brute search shares beginnings too"
    assert judge.model.calls < 0.05 * published and judge.model.calls < 0.2 * distinct


def test_the_shared_beginning_changes_no_bit():
    model, labels, start = Blurred(), torch.arange(8) % CLASSES, noise(0, range(8), SHAPE)
    candidates = [UNGUIDED, *GRID.coarse(4)]
    common = {"patch_size": PATCH, "colour": "rgb", "null_label": CLASSES}
    images = sample_each(model, start, labels, [settings(c) for c in candidates], **common)
    for candidate, drawn in zip(candidates, images, strict=True):
        assert torch.equal(drawn, sample(model, start, labels, settings=settings(candidate), **common))


def test_the_steps_before_guidance_are_counted_right():
    times = time_grid(STEPS)
    assert unguided_steps(times, settings(UNGUIDED)) == STEPS
    assert unguided_steps(times, settings(Candidate(2.0, 1.0))) == 0
    assert unguided_steps(times, settings(Candidate(2.0, 0.5))) == 5, "the step from 7/12 ends at 6/12, which is guided"
    assert unguided_steps(times, settings(Candidate(2.0, 0.01))) == STEPS, "no level is that clean"


@pytest.mark.parametrize("candidate", [UNGUIDED, Candidate(2.0, 1.0), Candidate(2.0, 0.5), Candidate(1.5, 0.1)])
def test_costs_are_those_of_plain_sampling(candidate):
    model = Blurred()
    sample(
        model, noise(0, range(1), SHAPE), torch.zeros(1, dtype=torch.long),
        patch_size=PATCH, colour="rgb", null_label=CLASSES, settings=settings(candidate),
    )  # fmt: skip
    assert model.calls == evaluations(candidate, STEPS)


def test_the_grid_is_the_paper_s_without_its_repetitions():
    assert GRID.scales[0] == 1 and GRID.scales[-1] == 4 and len(GRID.scales) == 31
    assert [guided_levels(end, STEPS) for end in GRID.ends] == list(range(1, STEPS + 1))
    assert len(GRID.nominal) == 31 * 50 and len(GRID.all()) == 30 * 12 + 1
    fine = Grid(SEARCH, 50)
    assert len(fine.ends) == 50, "at the published 50 steps every end is a candidate"
    assert set(GRID.coarse(4)) <= set(GRID.all()) and GRID.at(30, 11) in GRID.coarse(4)
    assert len(GRID.around(GRID.at(5, 5), 1)) == 9 and len(GRID.around(GRID.at(30, 11), 1)) == 4


def test_worse_means_worse_than_the_noise_of_the_difference():
    common = np.random.default_rng(0).normal(size=10)
    a, b = Measured(11.0, 11 + common), Measured(10.0, 10 + common)
    assert worse(a, b, 0.95) and not worse(b, a, 0.95), "what both share says nothing against either"
    noisy = Measured(11.0, 11 + np.random.default_rng(1).normal(size=10))
    assert not worse(noisy, b, 0.95)


def test_a_flat_surface_ends_too():
    def flat(candidates, count):
        return {c: Measured(1.0, np.ones(10)) for c in candidates}

    found = search_guidance(GRID, flat, SEARCH, lambda text: None)
    assert found.measured[found.optimum].value == 1.0


def test_a_surface_that_is_all_noise_costs_no_full_grid():
    random = np.random.default_rng(0)

    def noisy(candidates, count):
        return {
            c: Measured(100 + random.normal(0, 60 / np.sqrt(count)), 100 + random.normal(size=10)) for c in candidates
        }

    def cost(search):
        found = search_guidance(GRID, noisy, search, lambda text: None)
        return sum(evaluations(c, STEPS) * samples for c, samples in found.samples.items())

    distinct = SEARCH.count * sum(evaluations(c, STEPS) for c in GRID.all())
    assert cost(SEARCH) < 0.35 * distinct
    assert cost(SEARCH) < 0.6 * cost(SEARCH.model_copy(update={"keep": 1000})), "that many keep everything"
