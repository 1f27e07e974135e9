"""Drawing with an arm of prx-tg: solver and guidance on a network whose answer is known."""

import pytest
import torch
from torch import nn

from asymflow.config.prx_arm import PrxArm
from asymflow.config.prx_sampling import PrxSampling
from asymflow.data.embedded import Embedded
from asymflow.models.velocity import VelocityModel
from asymflow.sampling.prx import PrxRun, sample, velocity_field

SHOWN = Embedded(
    torch.zeros(2, 3, 4), torch.ones(2, 3, dtype=torch.bool), torch.zeros(2, 5), torch.zeros(2, 4, 6), torch.zeros(2, 4)
)
ALL = torch.tensor([[True, True, True, False], [True, False, False, False]])


class Telling(nn.Module):
    """Predicts x_0 as a constant that says which conditions are present and how many patches are visible."""

    grid = (2, 2)

    def forward(self, x, t, text, mask, cls, patches, joints, present, visible):
        told = 0.1 * present[:, 0] + 0.01 * present[:, 1] + 0.002 * len(visible)
        return -told[:, None, None].expand_as(x)


def run(share=0.0):
    arm = PrxArm.model_validate({"network": {"patch_size": 2}, "tread": {"share": share}})
    return PrxRun(VelocityModel(Telling(), torch.eye(12)[:, :0], 1.0, torch.float32), arm, 4, seed=0)


def velocity(settings, share=0.0, t=0.5):
    x = torch.zeros(2, 4, 12)
    return velocity_field(run(share), SHOWN, ALL, settings)(x, t)[:, 0, 0]


def test_without_guidance_each_case_has_its_own_conditions():
    """At x_t = 0 the velocity is -x_0 / t."""
    torch.testing.assert_close(velocity(PrxSampling()), -2 * torch.tensor([0.118, 0.108]))


def test_dual_guidance_pushes_caption_and_embeddings_apart_and_leaves_out_what_is_not_present():
    expected = torch.tensor([0.008 + 3 * 0.1 + 2.5 * 0.01, 0.008 + 3 * 0.1])
    torch.testing.assert_close(velocity(PrxSampling(guidance="dual")), -2 * expected)


def test_self_guidance_pushes_all_patches_apart_from_those_that_are_routed():
    """Two of four patches are routed: each counts 0.002."""
    routed = torch.tensor([0.114, 0.104])
    expected = routed + 3 * 0.004
    torch.testing.assert_close(velocity(PrxSampling(guidance="self"), share=0.5), -2 * expected)


def test_euler_with_a_perfect_prediction_ends_at_it():
    """Down to the clamp of the recovery: with 20 steps no level lies below 0.04."""
    noise = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    images = sample(run(), noise, SHOWN, ALL, PrxSampling(steps=20))
    expected = ((torch.tensor([0.118, 0.108]) + 1) * 127.5).round().byte()
    assert torch.equal(images, expected[:, None, None, None].expand_as(images))


@pytest.mark.parametrize("guidance", ["none", "dual", "self"])
def test_the_same_call_draws_the_same(guidance):
    noise, settings = torch.randn(2, 3, 4, 4), PrxSampling(steps=3, guidance=guidance)
    one, again = (sample(run(0.5), noise, SHOWN, ALL, settings) for _ in range(2))
    assert torch.equal(one, again)
