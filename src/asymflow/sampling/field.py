"""The velocity field that a solver integrates: a model under a condition, guided as the settings say."""

from dataclasses import replace

import torch
from torch import Tensor

from asymflow.config.arm import Arm
from asymflow.config.sampling import Sampling
from asymflow.data.tokens import in_gamut
from asymflow.flow.guidance import (
    Velocity,
    guide,
    guide_by_routing,
    guide_orthogonally,
    guide_twice,
    in_interval,
)
from asymflow.flow.path import denoised
from asymflow.flow.solver import constant_time
from asymflow.models.condition import Condition, visible
from asymflow.models.velocity import VelocityModel
from asymflow.randomness import torch_seed

LEAST_TIME = 1e-4  # noise level in a denominator; the official code's


def velocity_field(model: VelocityModel, condition: Condition, settings: Sampling, arm: Arm, seed: int) -> Velocity:
    """The guided velocity, its predicted image brought into the gamut where the settings say so.

    Guidance acts at the noise levels of its interval, which a solver's every sub-step is asked for; elsewhere the field is
    plainly conditional. `seed`, that of the run, decides which tokens bypass blocks in guidance by routing.
    """

    def predicted(x_t: Tensor, t: float, shown: Condition) -> Tensor:
        return model(x_t, constant_time(t, x_t), shown, sigma_min=settings.sigma_min)

    def plain(x_t: Tensor, t: float) -> Tensor:
        return predicted(x_t, t, condition)

    def classifier_free(x_t: Tensor, t: float) -> Tensor:
        u, u_nothing = plain(x_t, t), predicted(x_t, t, condition.only())
        if guidance.orthogonal:
            return guide_orthogonally(u, u_nothing, guidance.scale, x_t, t)
        return guide(u, u_nothing, guidance.scale)

    def dual(x_t: Tensor, t: float) -> Tensor:
        shown = (condition.only(), condition.only("caption"), condition.only("embedding", "patches"))
        # where no embedding is present, the third is the first, and its scale has nothing to act on
        return guide_twice(*(predicted(x_t, t, c) for c in shown), guidance.caption_scale, guidance.image_scale)

    def routing(x_t: Tensor, t: float) -> Tensor:
        chooser = torch.Generator().manual_seed(torch_seed(seed, round(t * 1e6)))
        routed = visible(x_t.shape[1], arm.network.bypass, torch.device("cpu"), chooser)
        u_routed = predicted(x_t, t, replace(condition, visible=routed.to(x_t.device)))
        return guide_by_routing(plain(x_t, t), u_routed, guidance.scale)

    guidance = settings.guidance
    kinds = {"none": plain, "classifier_free": classifier_free, "dual": dual, "routing": routing}
    guided, off = (
        kinds[guidance.kind],
        guidance.kind == "none" or (guidance.kind == "classifier_free" and guidance.scale == 1),
    )

    def field(x_t: Tensor, t: float) -> Tensor:
        u = plain(x_t, t) if off or not in_interval(t, guidance.interval) else guided(x_t, t)
        if not settings.gamut_clamp or arm.representation.space == "latent":
            return u
        x_0 = in_gamut(denoised(x_t, u, constant_time(t, x_t)), condition.grid, arm)
        return (x_t - x_0) / max(t, LEAST_TIME)

    return field
