"""Drawing the cases of prx-tg's validation suite with a trained arm.

Letters in shapes: b cases, n patches, D numbers of each, v visible patches, H and W pixels.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from asymflow.config.prx_arm import PrxArm
from asymflow.config.prx_sampling import PrxSampling
from asymflow.data.embedded import Embedded
from asymflow.flow.guidance import Velocity, guide_by_routing, guide_twice
from asymflow.flow.solver import constant_time, euler, time_grid
from asymflow.models.velocity import VelocityModel
from asymflow.randomness import torch_seed
from asymflow.sampling.sampler import to_bytes
from asymflow.subspace.patches import patchify, unpatchify
from asymflow.training.prx import visible

NOTHING = torch.tensor([False, False, False, False])
TEXT = torch.tensor([True, False, False, False])
IMAGE = torch.tensor([False, True, True, False])


@dataclass(frozen=True)
class PrxRun:
    """A trained arm, ready to draw."""

    model: VelocityModel
    arm: PrxArm
    image_size: int
    seed: int  # of its training


@torch.no_grad()
def sample(
    run: PrxRun, noise: Float[Tensor, "b 3 H W"], shown: Embedded, present: Bool[Tensor, "b 4"], settings: PrxSampling
) -> UInt8[Tensor, "b 3 H W"]:
    """Images for conditions, from noise in pixels, by Euler's method on uniform noise levels; rounded to 8 bits."""
    grid, patch = run.model.network.grid, run.arm.network.patch_size
    field = velocity_field(run, shown, present, settings)
    tokens = euler(field, patchify(noise, patch), time_grid(settings.steps))
    return to_bytes(unpatchify(tokens, grid, patch))


def velocity_field(run: PrxRun, shown: Embedded, present: Bool[Tensor, "b 4"], settings: PrxSampling) -> Velocity:
    """The velocity under the conditions that are present, guided as the settings say."""
    device = present.device
    n = run.model.network.grid[0] * run.model.network.grid[1]
    everything = torch.arange(n, device=device)
    joints = torch.zeros(len(present), run.arm.network.joints, 3, device=device)

    def predicted(x_t: Tensor, t: float, present: Tensor, seen: Int[Tensor, " v"] = everything) -> Tensor:
        given = (shown.text, shown.mask, shown.cls, shown.patches, joints, present, seen)
        return run.model(x_t, constant_time(t, x_t), *given, sigma_min=settings.sigma_min)

    def dual(x_t: Tensor, t: float) -> Tensor:
        parts = (predicted(x_t, t, present & kind.to(device)) for kind in (NOTHING, TEXT, IMAGE))
        # where no embedding is present, the third is the first, and its scale has nothing to act on
        return guide_twice(*parts, settings.text_scale, settings.image_scale)

    def by_routing(x_t: Tensor, t: float) -> Tensor:
        chooser = torch.Generator().manual_seed(torch_seed(run.seed, round(t * 1e6)))
        routed = visible(n, run.arm.tread.share, torch.device("cpu"), chooser).to(device)
        u_dense, u_routed = predicted(x_t, t, present), predicted(x_t, t, present, routed)
        return guide_by_routing(u_dense, u_routed, settings.self_scale)

    def plain(x_t: Tensor, t: float) -> Tensor:
        return predicted(x_t, t, present)

    return {"none": plain, "dual": dual, "self": by_routing}[settings.guidance]
