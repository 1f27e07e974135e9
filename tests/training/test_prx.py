"""What an arm of prx-tg draws and minimises."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from asymflow.config.prx_arm import Alignment, Dropout, PrxArm, Spatial, Tread
from asymflow.config.target import Target
from asymflow.flow.path import interpolate
from asymflow.models.velocity import VelocityModel
from asymflow.training.prx import (
    PrxObjective,
    alignment_weight,
    draw,
    place_weights,
    shown,
    visible,
)


class Fixed(nn.Module):
    """A network with one block that gives a fixed prediction, whatever it is shown."""

    width, depth = 3, 1

    def __init__(self, prediction):
        super().__init__()
        self.prediction, self.blocks = nn.Parameter(prediction), nn.ModuleList([nn.Identity()])

    def forward(self, x, t, text, mask, cls, patches, joints, present, visible):
        self.blocks[0](self.prediction[:, visible, :3])
        return self.prediction


def batch(b=6, n=4):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (b, 3, 8, 8), generator=generator, dtype=torch.uint8)
    rand = torch.rand(b, n, generator=generator)
    text, cls, patches = torch.randn(b, 2, 5), torch.randn(b, 6), torch.randn(b, n, 7)
    return images, text, torch.ones(b, 2, dtype=torch.bool), cls, patches, rand, torch.tensor(0)


def arm(**changes):
    made = PrxArm.model_validate({"network": {"patch_size": 4}, "training": {"images": 1000, "warmup_images": 0}})
    return made.model_copy(update=changes)


def example(configuration, given=None):
    torch.manual_seed(0)
    return draw(*(given or batch()), arm=configuration)


def loss(configuration, prediction, drawn):
    A = torch.eye(48)[:, : configuration.columns(48)]
    model = VelocityModel(Fixed(prediction), A, 1.0, torch.float32)
    return PrxObjective(model, configuration, 7, torch.Generator().manual_seed(0))(drawn)


def test_at_rank_0_the_loss_is_prx_tg_s_own():
    """mean((x_0_hat - x_0)^2) / max(t, 0.05)^2: x_t cancels."""
    drawn, x_0_hat = example(arm()), torch.randn(6, 4, 48)
    expected = ((x_0_hat - drawn.x_0) / drawn.t.clamp_min(0.05)[:, None, None]).square().mean()
    torch.testing.assert_close(loss(arm(), -x_0_hat, drawn)["flow"], expected)


@pytest.mark.parametrize("rank", [0, 8, "full"])
def test_the_right_prediction_costs_nothing(rank):
    """u_A = P eps - x_0; recovery divides by t, which leaves the rounding of float32."""
    configuration = arm(target=Target(rank=rank))
    drawn = example(configuration)
    A = torch.eye(48)[:, : configuration.columns(48)]
    assert loss(configuration, drawn.eps @ A @ A.T - drawn.x_0, drawn)["flow"] < 1e-6


def test_a_dead_target_is_x_0_prediction_to_the_bit():
    drawn, prediction = example(arm()), torch.randn(6, 4, 48)
    alive = arm(target=Target(rank=8, basis="identity"))
    dead = alive.model_copy(update={"dead_target": True})
    assert torch.equal(loss(dead, prediction, drawn)["flow"], loss(arm(), prediction, drawn)["flow"])
    assert not torch.equal(loss(alive, prediction, drawn)["flow"], loss(arm(), prediction, drawn)["flow"])


def test_arms_draw_the_same_noise_levels_and_conditions_whatever_their_remedies():
    one, other = example(arm()), example(arm(tread=Tread(share=0.5), target=Target(rank=8)))
    for name in ("x_0", "eps", "t", "present"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name
    assert len(one.visible) == 4 and len(other.visible) == 2


def test_half_of_an_odd_number_of_patches_is_rounded_towards_more_visible_ones():
    chosen = visible(9, 0.5, torch.device("cpu"))
    assert len(chosen) == 5 and (chosen.diff() > 0).all()


def test_conditions_are_shown_as_often_as_the_law_says():
    """Text in 75 % of the images (text alone, all but joints, everything), the embedding in 55 %."""
    torch.manual_seed(0)
    share = shown(Dropout(), 20_000, torch.device("cpu")).double().mean(0)
    expected = torch.tensor([0.75, 0.55, 0.55, 0.45], dtype=torch.float64)
    torch.testing.assert_close(share, expected, rtol=0, atol=0.015)  # four standard errors


def test_weights_by_place_have_mean_one_and_favour_faces():
    face = torch.tensor([[0.0, 0.5, 1.0, 0.0]])
    weights = place_weights(face, Spatial(face=2.0, elsewhere=0.5))
    torch.testing.assert_close(weights.mean(), torch.tensor(1.0))
    torch.testing.assert_close(weights / weights[0, 0], torch.tensor([[1.0, 2.5, 4.0, 1.0]]))
    assert torch.equal(place_weights(face, Spatial()), torch.ones(1, 4))


def test_weights_by_place_need_masks():
    with pytest.raises(ValueError, match="these images have no face masks"):
        place_weights(torch.full((1, 4), torch.nan), Spatial(face=2.0))
    assert torch.equal(place_weights(torch.full((1, 4), torch.nan), Spatial()), torch.ones(1, 4))


def test_the_loss_is_weighted_by_place():
    weighted = arm(spatial=Spatial(face=2.0, elsewhere=0.5))
    drawn, prediction = example(weighted), torch.randn(6, 4, 48)
    plain = example(arm())
    error = ((prediction + drawn.x_0) / drawn.t.clamp_min(0.05)[:, None, None]).square().mean(-1)
    torch.testing.assert_close(loss(weighted, prediction, drawn)["flow"], (drawn.place_weight * error).mean())
    assert loss(arm(), prediction, plain)["flow"] != loss(weighted, prediction, drawn)["flow"]


@pytest.mark.parametrize(("progress", "weight"), [(0.0, 0.5), (0.2, 0.5), (0.3, 0.25), (0.4, 0.0), (1.0, 0.0)])
def test_alignment_fades_linearly(progress, weight):
    assert alignment_weight(Alignment(weight=0.5, fades=(0.2, 0.4)), progress) == pytest.approx(weight)
    assert alignment_weight(Alignment(weight=0.5), progress) == 0.5


def test_aligned_features_cost_nothing_and_opposite_ones_twice_the_weight():
    """The projector maps features to the wanted tokens or to their opposites; only visible ones are looked at."""
    configuration = arm(alignment=Alignment(weight=0.5), tread=Tread(share=0.5))
    given = batch()
    drawn = example(configuration, given)
    for sign, expected in ((1, 0.0), (-1, 1.0)):
        model = VelocityModel(Fixed(torch.randn(6, 4, 48)), torch.eye(48)[:, :0], 1.0, torch.float32)
        objective = PrxObjective(model, configuration, 7, torch.Generator().manual_seed(0))
        features = model.network.prediction[:, drawn.visible, :3].detach()
        wanted = (features @ objective.projector.weight.T).detach()
        patches = drawn.patches.clone()
        patches[:, drawn.visible] = sign * wanted
        terms = objective(replace(drawn, patches=patches))
        assert terms["alignment"].item() == pytest.approx(expected, abs=1e-5)


def test_parts_of_an_example_are_the_example():
    drawn = example(arm(tread=Tread(share=0.5)))
    parts = drawn.split(4)
    assert [len(part.t) for part in parts] == [4, 2]
    for name in ("x_0", "eps", "t", "text", "mask", "cls", "patches", "present", "place_weight", "alignment_weight"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(drawn, name))
    assert all(torch.equal(part.visible, drawn.visible) for part in parts)


def test_images_are_diffused_from_minus_one_to_one():
    drawn = example(arm())
    assert drawn.x_0.min() >= -1 and drawn.x_0.max() <= 1 and drawn.x_0.min() < -0.9
    assert interpolate(drawn.x_0, drawn.eps, drawn.t).isfinite().all()
