"""Images from noise: each a function of its noise and its condition, whatever solver, guidance or network draws it."""

import pytest
import torch
from torch import nn

from asymflow.config.sampling import Sampling
from asymflow.data.colour import from_rgb
from asymflow.flow.solver import time_grid
from asymflow.models.assemble import Lift
from asymflow.models.condition import Condition, Shapes, presence
from asymflow.sampling.sampler import images, noise, sample, sample_each, times, tokens, unguided_steps
from asymflow.subspace.bases import random_basis
from asymflow.subspace.patches import CHANNEL_FIRST, patchify

SHAPE, GRID, N, D = (3, 6, 6), (3, 3), 9, 12
SOLVERS = ("heun", "euler", "unipc")
GUIDED = {"kind": "classifier_free", "scale": 2.0, "interval": (0.2, 0.8)}


class Field(nn.Module):
    """A velocity that differs between classes and is not linear, of tokens alone: no arithmetic across a batch."""

    def forward(self, x, t, condition):
        label = torch.where(condition.shows("class"), condition.label, 3)
        return torch.tanh(x) + label[:, None, None] * 0.1 - t[:, None, None]


class Straight(nn.Module):
    """A model that knows its image, in its own colour space, and goes straight to it."""

    def __init__(self, known):
        super().__init__()
        self.known = known

    def forward(self, x, t, condition):
        return -self.known


def condition(numbers) -> Condition:
    """The classes of these images, in turn."""
    return Condition(presence(["class"], len(numbers)), GRID, label=torch.tensor(numbers) % 3)


def everything_shown(count, shapes) -> Condition:
    """Something of everything that shapes have, the last image told nothing."""
    generator = torch.Generator().manual_seed(3)
    shown = torch.ones(count, 5, dtype=torch.bool)
    shown[-1] = False

    def draw(*shape):
        return torch.randn(count, *shape, generator=generator)

    return Condition(
        shown, GRID, label=torch.arange(count) % max(shapes.classes, 1), text=draw(*shapes.caption),
        mask=torch.ones(count, shapes.caption[0], dtype=torch.bool), empty=torch.zeros(shapes.caption),
        embedding=draw(shapes.embedding), patches=draw(*shapes.patches), joints=draw(shapes.joints, 3).abs(),
    )  # fmt: skip


@pytest.fixture
def run(run_of):
    return run_of(Field(), torch.eye(D))


def draw(run, numbers, **changes):
    settings = Sampling(**({"steps": 3, "guidance": GUIDED} | changes))
    return sample(run, noise(5, numbers, SHAPE), condition(numbers), settings)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_sample_does_not_depend_on_the_batch_it_is_drawn_in(run, solver):
    whole = draw(run, range(10), solver=solver)
    parts = [draw(run, numbers, solver=solver) for numbers in (range(0, 3), range(3, 4), range(4, 10))]
    assert torch.equal(whole, torch.cat(parts))


def test_noise_is_a_function_of_seed_and_number():
    assert torch.equal(noise(1, range(3, 5), SHAPE), noise(1, range(0, 9), SHAPE)[3:5])
    assert torch.equal(noise(1, [4, 0, 4], SHAPE), noise(1, range(5), SHAPE)[[4, 0, 4]])
    assert not torch.equal(noise(1, range(1), SHAPE), noise(2, range(1), SHAPE))
    assert not torch.equal(noise(1, range(1), SHAPE), noise(1, range(1, 2), SHAPE))


def test_noise_is_standard_normal():
    values = noise(0, range(521), (3, 8, 8)).double()
    assert values.mean().item() == pytest.approx(0, abs=0.02)  # this and the others: six standard errors or more
    assert values.var().item() == pytest.approx(1, abs=0.03)
    kurtosis = values.pow(4).mean() / values.var() ** 2
    assert kurtosis.item() == pytest.approx(3, abs=0.15), "that of a uniform law is 1.8"


def test_guidance_and_interval_change_the_samples(run):
    plain = draw(run, range(6), guidance={"kind": "none"})
    assert not torch.equal(plain, draw(run, range(6)))
    assert torch.equal(plain, draw(run, range(6), guidance=GUIDED | {"scale": 1.0}))
    unguided = draw(run, range(6), guidance=GUIDED | {"interval": (0.0, 0.0)})
    assert torch.equal(plain, unguided), "no grid point before the end lies at 0"


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", ["jit", "flux"])
@pytest.mark.parametrize("colour", ["rgb", "oklab"])
def test_samples_are_rgb_whatever_the_model_works_in(run_of, colour, kind, solver):
    """In whatever colours and order of values it knows its image."""
    known = torch.randint(0, 256, (5, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    known[0], known[1] = 0, 255
    sections = {"representation": {"patch_size": 2, "colour": colour}, "network": {"kind": kind}}
    order = () if kind == "jit" else (CHANNEL_FIRST,)
    if kind == "flux":
        sections["conditions"] = {"shown": [{"share": 1.0, "what": ["caption"]}]}
    model = Straight(patchify(from_rgb(known.float() / 127.5 - 1, colour), 2, *order))
    drawn = sample(
        run_of(model, sections=sections),
        noise(5, range(5), SHAPE),
        condition(range(5)),
        Sampling(steps=7, solver=solver),
    )
    assert torch.equal(drawn, known)


def test_euler_with_a_perfect_prediction_ends_at_it_down_to_the_clamp_of_the_recovery(run_of):
    """With 20 steps no level lies below 0.04; with 50 the last one does, and half of its noise is left."""
    run, start = run_of(Straight(torch.full((2, N, D), 0.118))), noise(0, range(2), SHAPE)
    expected = torch.full((2, *SHAPE), round((0.118 + 1) * 127.5), dtype=torch.uint8)
    for steps, sigma_min, exact in ((20, 0.04, True), (50, 0.04, False), (50, 0.0, True)):
        settings = Sampling(solver="euler", steps=steps, sigma_min=sigma_min)
        drawn = sample(run, start, condition(range(2)), settings)
        assert torch.equal(drawn, expected) == exact, (steps, sigma_min)


@pytest.mark.parametrize(
    ("asked", "trained", "expected"), [(None, 1.0, 1.0), (None, 3.0, 3.0), (1.0, 3.0, 1.0), (5.0, 1.0, 5.0)]
)
def test_noise_levels_are_shifted_as_the_setting_or_the_training_says(run_of, asked, trained, expected):
    run = run_of(Field(), sections={"training": {"shift": trained}})
    assert times(run, Sampling(steps=7, shift=asked)) == time_grid(7, expected)


class Decoder:
    """Keeps what it is given to decode."""

    def decode(self, tokens, grid):
        self.tokens, self.grid = tokens, grid
        return torch.full((len(tokens), 3, 24, 24), 0.5)


def test_an_arm_of_latents_begins_with_its_part_of_the_pixels_noise_and_is_decoded(run_of):
    A, decoder = random_basis(192, seed=0)[:, :5].float(), Decoder()
    sections = {
        "representation": {"space": "latent", "patch_size": 8}, "target": {"rank": "full", "basis": "identity"},
        "network": {"kind": "flux"}, "conditions": {"shown": [{"share": 1.0, "what": ["caption"]}]},
    }  # fmt: skip
    run = run_of(Field(), torch.eye(5), sections=sections, lift=Lift(A, 1.7), latents=decoder, image_size=24)
    start = noise(0, range(2), (3, 24, 24))
    began = tokens(run, start)
    torch.testing.assert_close(began, patchify(start, 8, CHANNEL_FIRST) @ A)
    assert (images(run, began) == 191).all(), "0.5 of [-1, 1], rounded"
    assert torch.equal(decoder.tokens, began) and decoder.grid == GRID
    assert sample(run, start, condition(range(2)), Sampling(steps=3)).shape == (2, 3, 24, 24)


@pytest.mark.parametrize("gamut_clamp", [False, True])
@pytest.mark.parametrize("solver", SOLVERS)
def test_settings_that_share_their_beginning_change_no_bit(run, solver, gamut_clamp):
    base = Sampling(steps=7, solver=solver, shift=2.0, gamut_clamp=gamut_clamp, guidance={"kind": "searched"})
    settings = [
        base.guided(1.0, (0.0, 1.0)),
        *(base.guided(s, (0.0, end)) for s in (1.5, 3.0) for end in (0.05, 0.3, 0.7, 1.0)),
    ]
    start, asked = noise(0, range(5), SHAPE), condition(range(5))
    drawn = list(sample_each(run, start, asked, settings))
    assert len(drawn) == len(settings)
    for setting, sampled in zip(settings, drawn, strict=True):
        assert torch.equal(sampled, sample(run, start, asked, setting)), setting.guidance
    assert len({sampled.numpy().tobytes() for sampled in drawn}) > 4, "they differ, or sharing would be easy"


@pytest.mark.parametrize("orthogonal", [False, True])
def test_a_search_of_orthogonal_guidance_draws_with_it(run, orthogonal):
    base = Sampling(steps=5, guidance={"kind": "searched", "orthogonal": orthogonal})
    start, asked = noise(0, range(5), SHAPE), condition(range(5))
    (sampled,) = sample_each(run, start, asked, [base.guided(3.0, (0.0, 1.0))])
    expected = Sampling(steps=5, guidance={"kind": "classifier_free", "scale": 3.0, "orthogonal": orthogonal})
    assert torch.equal(sampled, sample(run, start, asked, expected))


def guided(end, scale=2.0):
    return Sampling(steps=12).guided(scale, (0.0, end))


@pytest.mark.parametrize(
    ("settings", "looking_ahead", "at_its_beginning_alone"),
    [
        (guided(1.0, scale=1.0), 12, 12),
        (guided(1.0), 0, 0),
        (guided(0.92), 0, 1),
        (guided(0.5), 5, 6),  # the step from 7/12 ends at 6/12, which is guided
        (guided(0.09), 10, 11),  # the last step begins at 1/12
        (guided(0.01), 12, 12),  # no level is that clean
    ],
)
def test_the_steps_before_guidance_are_counted_right(settings, looking_ahead, at_its_beginning_alone):
    assert unguided_steps(time_grid(12), settings, True) == looking_ahead
    assert unguided_steps(time_grid(12), settings, False) == at_its_beginning_alone


GUIDANCE = {
    "none": {},
    "classifier_free": {"scale": 3.0, "interval": (0.0, 0.9)},
    "orthogonal": {"kind": "classifier_free", "scale": 3.0, "orthogonal": True},
    "dual": {},
    "routing": {},
}
EVERYTHING = ("class", "caption", "embedding", "patches", "joints")
RUNS = {
    "jit": ("jit", EVERYTHING), "class-conditional jit": ("jit", ("class",)), "nanodit": ("nanodit", EVERYTHING),
    "class-conditional nanodit": ("nanodit", ("class",)), "flux": ("flux", ("caption",)),
}  # fmt: skip


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    ("name", "guidance"),
    [
        (n, g) for n, (kind, _) in RUNS.items() for g in GUIDANCE if kind == "nanodit" or g != "routing"
    ],  # trained with TREAD
)
def test_every_network_is_drawn_from_by_every_solver_under_every_guidance(drawn_run, name, guidance, solver):
    kind, shown = RUNS[name]
    run, start = drawn_run(kind, shown), noise(0, range(3), SHAPE)
    asked = everything_shown(3, Shapes(classes=3, caption=(4, 5), embedding=6, patches=(9, 7), joints=2))
    settings = Sampling(steps=3, solver=solver, guidance={"kind": guidance} | GUIDANCE[guidance], gamut_clamp=True)
    one, again = (sample(run, start, asked, settings) for _ in range(2))
    assert one.shape == (3, *SHAPE) and torch.equal(one, again)
    plain = sample(run, start, asked, settings.model_copy(update={"guidance": Sampling().guidance}))
    assert torch.equal(one[:2], plain[:2]) == (guidance == "none")
    if guidance != "routing":
        assert torch.equal(one[2], plain[2]), "the last image is told nothing, so there is nothing to push away from"
