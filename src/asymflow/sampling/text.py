"""Drawing images for captions, from paired noise: all arms begin with the same noise in pixels or its part in the latents.

Letters in shapes: b images, n tokens, D numbers of a patch, d of a token, l text tokens, e channels of each, H and W pixels.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from asymflow.config.text_arm import TextArm
from asymflow.config.text_sampling import TextSampling
from asymflow.data.colour import decode, encode
from asymflow.flow.guidance import Velocity, guide, guide_orthogonally
from asymflow.flow.path import denoised
from asymflow.flow.solver import constant_time, time_grid
from asymflow.models.latents import Latents
from asymflow.models.text_model import Lift
from asymflow.models.text_transformer import grid_positions
from asymflow.models.velocity import VelocityModel
from asymflow.sampling.sampler import to_bytes
from asymflow.sampling.unipc import unipc
from asymflow.subspace.patches import CHANNEL_FIRST, patchify, unpatchify

LEAST_TIME = 1e-4  # noise level in a denominator; the official code's


@dataclass(frozen=True)
class TextRun:
    """A trained arm, ready to draw: `latents` decodes what an arm of latents draws."""

    model: VelocityModel
    arm: TextArm
    lift: Lift
    latents: Latents


@torch.no_grad()
def sample(
    run: TextRun,
    noise: Float[Tensor, "b 3 H W"],
    text: Float[Tensor, "b l e"],
    empty: Float[Tensor, "l e"],
    settings: TextSampling,
) -> UInt8[Tensor, "b 3 H W"]:
    """Images for captions, from noise in pixels, by UniPC on the arm's shifted noise levels; rounded to 8 bits.

    An arm of latents begins with A^T eps, which is the noise that its lift sees.             [AsymFlow, theorem 1]
    """
    arm = run.arm
    grid = (noise.shape[2] // arm.patch_size, noise.shape[3] // arm.patch_size)
    start = patchify(noise, arm.patch_size, CHANNEL_FIRST)
    if arm.space == "latent":
        start = start @ run.lift.A
    field = velocity_field(run, text, empty, grid, settings)
    tokens = unipc(field, start, time_grid(settings.steps, arm.training.shift))
    if arm.space == "latent":
        return to_bytes(run.latents.decode(tokens, grid))
    return to_bytes(decode(unpatchify(tokens, grid, arm.patch_size, CHANNEL_FIRST), arm.colour))


def velocity_field(
    run: TextRun,
    text: Float[Tensor, "b l e"],
    empty: Float[Tensor, "l e"],
    grid: tuple[int, int],
    settings: TextSampling,
) -> Velocity:
    """The guided velocity, its predicted image brought into the gamut where the settings say so."""
    positions = grid_positions(*grid).to(text.device)
    nothing = empty.expand_as(text)

    def predicted(x_t: Tensor, t: float, words: Tensor) -> Tensor:
        return run.model(x_t, constant_time(t, x_t), words, positions, sigma_min=settings.sigma_min)

    def field(x_t: Tensor, t: float) -> Tensor:
        u = predicted(x_t, t, text)
        if settings.guidance != 1:
            u_empty = predicted(x_t, t, nothing)
            if settings.orthogonal:
                u = guide_orthogonally(u, u_empty, settings.guidance, x_t, t)
            else:
                u = guide(u, u_empty, settings.guidance)
        if settings.gamut_clamp and run.arm.space == "pixel":
            x_0 = in_gamut(denoised(x_t, u, constant_time(t, x_t)), run.arm, grid)
            u = (x_t - x_0) / max(t, LEAST_TIME)
        return u

    return field


def in_gamut(x_0: Float[Tensor, "b n D"], arm: TextArm, grid: tuple[int, int]) -> Float[Tensor, "b n D"]:
    """Patches whose pixels are colours that RGB has: to [-1, 1] and back.          [AsymFlow's code, clamp_denoised]"""
    pixels = decode(unpatchify(x_0, grid, arm.patch_size, CHANNEL_FIRST), arm.colour).clamp(-1, 1)
    return patchify(encode(pixels, arm.colour), arm.patch_size, CHANNEL_FIRST)
