"""The velocity field under every kind of guidance, on a network whose answer is known."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from asymflow.config.sampling import Sampling
from asymflow.data.tokens import to_pixels
from asymflow.flow.guidance import guide_orthogonally
from asymflow.flow.path import denoised
from asymflow.models.condition import Condition
from asymflow.sampling.field import velocity_field

GRID, N, D, T = (3, 3), 9, 12, 0.5
SHOWN = Condition(
    present=torch.tensor([[False, True, True, True, True], [False, True, False, False, False]]), grid=GRID,
    text=torch.zeros(2, 4, 5), mask=torch.ones(2, 4, dtype=torch.bool), empty=torch.zeros(4, 5),
    embedding=torch.zeros(2, 6), patches=torch.zeros(2, 9, 7), joints=torch.zeros(2, 2, 3),
)  # fmt: skip
ROUTED = {"network": {"kind": "nanodit", "tread": 0.5}}
CAPTION, EMBEDDING, PATCHES, JOINTS, TOKEN = 0.1, 0.01, 0.02, 0.04, 0.002  # what each counts in the answer
GUIDED = {
    "classifier_free": {"scale": 3.0},
    "classifier_free, orthogonal": {"scale": 3.0, "orthogonal": True},
    "dual": {},
    "routing": {},
}


class Telling(nn.Module):
    """Predicts x_0 as ramps whose first number says which conditions are present and how many tokens are visible."""

    def __init__(self):
        super().__init__()
        self.calls, self.visible = 0, []

    def forward(self, x, t, condition):
        self.calls += 1
        if condition.visible is not None:
            self.visible.append(condition.visible)
        n = x.shape[1] if condition.visible is None else len(condition.visible)
        counted = {"caption": CAPTION, "embedding": EMBEDDING, "patches": PATCHES, "joints": JOINTS}
        values = TOKEN * n + sum(value * condition.shows(name) for name, value in counted.items())
        return -(values[:, None, None] + 0.1 * torch.arange(x.shape[2])).expand_as(x)


class Known(nn.Module):
    """Predicts the given x_0 where the caption is shown, and another one where not."""

    def __init__(self, conditional, unconditional):
        super().__init__()
        self.conditional, self.unconditional = conditional, unconditional

    def forward(self, x, t, condition):
        return -torch.where(condition.shows("caption")[:, None, None], self.conditional, self.unconditional)


def sampling(kind: str, **changes) -> Sampling:
    name = kind.split(",")[0]
    return Sampling(guidance={"kind": name, **GUIDED.get(kind, {}), **changes})


def velocity(run, settings, x=None, t=T):
    return velocity_field(run.model, SHOWN, settings, run.arm, run.seed)(torch.zeros(2, N, D) if x is None else x, t)


def answers(run, settings):
    """The first number of the x_0 that the field believes in; at x_t = 0 the velocity is -x_0 / t."""
    return -T * velocity(run, settings)[:, 0, 0]


ALL = TOKEN * N + CAPTION + EMBEDDING + PATCHES + JOINTS  # the first image
ALONE = TOKEN * N + CAPTION  # the second


def test_without_guidance_each_image_has_its_own_conditions(run_of):
    torch.testing.assert_close(answers(run_of(Telling()), sampling("none")), torch.tensor([ALL, ALONE]))


def test_classifier_free_guidance_pushes_all_conditions_apart_from_none(run_of):
    nothing = TOKEN * N
    expected = torch.tensor([ALL + 2 * (ALL - nothing), ALONE + 2 * (ALONE - nothing)])
    torch.testing.assert_close(answers(run_of(Telling()), sampling("classifier_free")), expected)


def test_orthogonal_guidance_leaves_the_predicted_image_s_own_direction_alone(run_of):
    """b - x_c <b, x_c> / <x_c, x_c>, over whole images."""
    generator = torch.Generator().manual_seed(0)
    conditional, unconditional, x = (torch.randn(2, N, D, generator=generator) for _ in range(3))
    run, settings = run_of(Known(conditional, unconditional)), sampling("classifier_free, orthogonal")
    u, u_c, u_u = velocity(run, settings, x), (x - conditional) / T, (x - unconditional) / T
    torch.testing.assert_close(u, guide_orthogonally(u_c, u_u, 3.0, x, T))
    push = u - u_c
    assert (
        push.norm() > 1 and ((push * conditional).sum((1, 2)) / conditional.norm() / push.norm()).abs().max() < 1e-5
    )  # float32
    plain = velocity(run, sampling("classifier_free"), x)
    assert (u - plain).norm() > 1e-2


def test_dual_guidance_pushes_caption_and_embeddings_apart_and_leaves_out_what_is_not_present(run_of):
    """Joints, which neither scale speaks of, are hidden in all three passes."""
    expected = torch.tensor([TOKEN * N + 3 * CAPTION + 2.5 * (EMBEDDING + PATCHES), TOKEN * N + 3 * CAPTION])
    torch.testing.assert_close(answers(run_of(Telling()), sampling("dual")), expected)
    changed = sampling("dual", caption_scale=2.0, image_scale=1.0)
    expected = torch.tensor([TOKEN * N + 2 * CAPTION + EMBEDDING + PATCHES, TOKEN * N + 2 * CAPTION])
    torch.testing.assert_close(answers(run_of(Telling()), changed), expected)


def test_guidance_by_routing_pushes_all_tokens_apart_from_those_that_are_routed(run_of):
    """Four of nine tokens bypass the middle blocks."""
    routed = torch.tensor([ALL - 4 * TOKEN, ALONE - 4 * TOKEN])
    torch.testing.assert_close(answers(run_of(Telling(), sections=ROUTED), sampling("routing")), routed + 3 * 4 * TOKEN)


def test_seed_and_noise_level_decide_which_tokens_are_routed(run_of):
    network = Telling()
    run, settings = run_of(network, sections=ROUTED), sampling("routing")
    for other, t in ((run, 0.5), (run, 0.5), (run, 0.25), (replace(run, seed=8), 0.5)):
        velocity(other, settings, t=t)
    first, again, later, seeded = network.visible
    assert torch.equal(first, again) and not torch.equal(first, later) and not torch.equal(first, seeded)


@pytest.mark.parametrize(
    ("kind", "evaluations"),
    [("none", 1), ("classifier_free", 2), ("classifier_free, orthogonal", 2), ("dual", 3), ("routing", 2)],
)
def test_guidance_costs_its_passes_and_none_where_it_does_not_act(run_of, kind, evaluations):
    network = Telling()
    velocity(run_of(network, sections=ROUTED), sampling(kind))
    assert network.calls == evaluations
    if kind != "none":
        velocity(run_of(network, sections=ROUTED), sampling(kind, interval=(0.6, 1.0)))
        assert network.calls == evaluations + 1


def test_a_scale_of_one_is_no_guidance_and_costs_nothing(run_of):
    network = Telling()
    run = run_of(network)
    torch.testing.assert_close(answers(run, sampling("classifier_free", scale=1.0)), torch.tensor([ALL, ALONE]))
    assert network.calls == 1


@pytest.mark.parametrize("kind", GUIDED)
def test_guidance_acts_in_its_interval_both_ends_included_and_elsewhere_the_field_is_plain(run_of, kind):
    run, settings = run_of(Telling(), sections=ROUTED), sampling(kind, interval=(0.25, 0.75))
    everywhere, x = sampling(kind), torch.randn(2, N, D, generator=torch.Generator().manual_seed(0))
    for t in (0.25, 0.5, 0.75):
        assert torch.equal(velocity(run, settings, x, t), velocity(run, everywhere, x, t))
        assert not torch.allclose(velocity(run, settings, x, t), velocity(run, sampling("none"), x, t))
    for t in (1.0, 0.76, 0.24, 0.01):
        assert torch.equal(velocity(run, settings, x, t), velocity(run, sampling("none"), x, t))


@pytest.mark.parametrize("colour", ["rgb", "oklab"])
def test_the_gamut_clamp_brings_the_predicted_image_into_rgb_and_leaves_one_that_is_there(run_of, colour):
    sections = {"representation": {"patch_size": 2, "colour": colour}}
    generator = torch.Generator().manual_seed(0)
    x, wild = (torch.randn(2, N, D, generator=generator) for _ in range(2))
    run = run_of(Known(3 * wild, wild), sections=sections)
    settings = sampling("none").model_copy(update={"gamut_clamp": True})
    t = torch.full((2,), T)
    x_0 = denoised(x, velocity(run, settings, x), t)
    pixels = to_pixels(x_0, GRID, run.arm)
    assert pixels.abs().max() <= 1 + 1e-4, "float32, and the cube roots of Oklab"
    unclamped = to_pixels(denoised(x, velocity(run, sampling("none"), x), t), GRID, run.arm)
    torch.testing.assert_close(pixels, unclamped.clamp(-1, 1), rtol=0, atol=1e-3)
    assert not torch.allclose(x_0, 3 * wild, atol=0.1)
    inside = run_of(Known(x_0, x_0), sections=sections)
    torch.testing.assert_close(velocity(inside, settings, x), velocity(inside, sampling("none"), x), rtol=0, atol=2e-3)


def test_guidance_comes_before_the_gamut_clamp(run_of):
    """The guided image, pushed out of the gamut, is what is brought back."""
    run = run_of(Known(torch.full((2, N, D), 0.8), torch.zeros(2, N, D)))
    settings = sampling("classifier_free").model_copy(update={"gamut_clamp": True})
    torch.testing.assert_close(answers(run, sampling("classifier_free")), torch.tensor([2.4, 2.4]))
    torch.testing.assert_close(answers(run, settings), torch.tensor([1.0, 1.0]))


def test_latents_have_no_gamut(run_of):
    sections = {"representation": {"space": "latent", "patch_size": 8}, "target": {"rank": 0}}
    run = run_of(Known(torch.full((2, N, D), 3.0), torch.zeros(2, N, D)), sections=sections)
    settings = sampling("none").model_copy(update={"gamut_clamp": True})
    torch.testing.assert_close(answers(run, settings), torch.tensor([3.0, 3.0]))


def test_the_setting_decides_the_smallest_denominator_of_the_recovery(run_of):
    x, run = torch.ones(2, N, D), run_of(Telling())
    small, large = (
        velocity(run, sampling("none").model_copy(update={"sigma_min": sigma}), x, t=0.01) for sigma in (0.0, 0.04)
    )
    torch.testing.assert_close(small, 4 * large)


def test_a_condition_keeps_what_it_shows(run_of):
    """Guidance hides conditions in passes of its own."""
    before = SHOWN.present.clone()
    for kind in GUIDED:
        velocity(run_of(Telling(), sections=ROUTED), sampling(kind))
    assert torch.equal(SHOWN.present, before) and SHOWN.visible is None


@pytest.mark.parametrize("kind", ["classifier_free", "dual", "routing"])
@pytest.mark.parametrize("interval", [(0.8, 0.2), (-0.1, 0.5), (0.5, 1.1)])
def test_an_interval_that_is_reversed_or_beyond_the_noise_levels_is_an_error(kind, interval):
    with pytest.raises(ValueError, match=rf"interval is \[{interval[0]}, {interval[1]}\]; expected \[low, high\]"):
        sampling(kind, interval=interval)
