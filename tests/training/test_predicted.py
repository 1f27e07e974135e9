"""The predicted clean image, and the gate by noise level in front of what looks at it."""

import pytest
import torch

from asymflow.config.arm import Arm
from asymflow.data.tokens import to_tokens
from asymflow.flow.path import velocity
from asymflow.models.condition import Condition, presence
from asymflow.training.example import Example
from asymflow.training.predicted import gated_mean, predicted_pixels

PATCH, GRID = 4, (2, 3)
T = torch.tensor([0.2, 0.7, 0.71, 1.0])


def images(seed, count=4):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, GRID[0] * PATCH, GRID[1] * PATCH, generator=generator) * 2 - 1


def shown(pixels, t=T):
    """An example of which all but images and noise levels is zero."""
    tokens = torch.zeros(len(t), GRID[0] * GRID[1], 3 * PATCH**2)
    return Example(tokens, tokens, t, Condition(presence([], len(t)), GRID), pixels, progress=0.0)


def squares(one, other):
    return (one - other).square().mean((1, 2, 3))


@pytest.mark.parametrize("colour", ["rgb", "oklab"])
def test_the_true_velocity_predicts_the_image_itself_in_rgb_whatever_the_arm_works_in(colour):
    arm = Arm.model_validate({"representation": {"patch_size": PATCH, "colour": colour}, "target": {"rank": 0}})
    pixels = images(0)
    x_0 = to_tokens(pixels, arm)
    eps = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(1))
    example = Example(x_0, eps, T, Condition(presence([], 4), GRID), pixels, progress=0.0)
    torch.testing.assert_close(predicted_pixels(example, velocity(x_0, eps), arm), pixels, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("gate", "count"), [(0.1, 0), (0.2, 1), (0.7, 2), (0.99, 3), (1.0, 4)])
def test_the_mean_is_over_the_images_that_pass_and_over_no_others(gate, count):
    one, other = images(0), images(1)
    expected = squares(one, other)[:count].mean() if count else torch.tensor(0.0)
    torch.testing.assert_close(gated_mean(squares, one, shown(other), gate), expected)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_the_parts_of_a_batch_have_together_the_mean_of_the_whole_however_the_images_that_pass_fall(size):
    """Each used to divide by the number that passes in it, so an image counted more where fewer others passed."""
    one, example = images(0), shown(images(1))
    parts = zip(one.split(size), example.split(size), strict=True)
    means = sum(gated_mean(squares, predicted, part, 0.7) * len(predicted) / 4 for predicted, part in parts)
    torch.testing.assert_close(means, gated_mean(squares, one, example, 0.7))


def test_each_image_passes_by_its_own_level():
    """A mask that is broadcast over the batch would let all of them pass as soon as one does."""
    one = images(0).requires_grad_()
    gated_mean(squares, one, shown(images(1)), 0.7).backward()
    assert [bool(g.any()) for g in one.grad] == [True, True, False, False]


def test_where_none_pass_nothing_is_looked_at_and_the_loss_is_exactly_zero():
    def nobody(one, other):
        raise AssertionError("it was looked at")

    loss = gated_mean(nobody, images(0).requires_grad_(), shown(images(1), torch.ones(4)), 0.7)
    assert loss.item() == 0 and not loss.requires_grad


def test_an_image_behind_the_gate_cannot_spoil_the_others():
    one = images(0)
    one[3] = torch.nan
    one.requires_grad_()
    loss = gated_mean(squares, one, shown(images(1)), 0.7)
    loss.backward()
    assert loss.isfinite() and one.grad[:3].isfinite().all() and not one.grad[3].any()
