"""One training step's arithmetic: noise levels, noise, and the loss."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from asymflow.config.training import Training
from asymflow.flow.objective import flow_matching_loss
from asymflow.flow.path import interpolate, logit_normal_time, velocity
from asymflow.models.velocity import VelocityModel
from asymflow.randomness import torch_seed
from asymflow.subspace.patches import patchify


@dataclass(frozen=True)
class Example:
    """What the network is shown and asked, for one batch."""

    x_0: Float[Tensor, "b n D"]
    eps: Float[Tensor, "b n D"]
    t: Float[Tensor, "b"]
    labels: Int[Tensor, "b"]


def seed_step(seed: int, images_seen: int, rank: int) -> None:
    """Seeds all random numbers of one step, so that a resumed run draws what an uninterrupted one would."""
    torch.manual_seed(torch_seed(seed, images_seen, rank))


def draw(
    images: UInt8[Tensor, "b c h w"], labels: Int[Tensor, "b"], patch_size: int, null_label: int, training: Training
) -> Example:
    """Noise, noise levels, hidden labels and mirrored images for a batch, from the seeded generators."""
    pixels = images.float() / 127.5 - 1
    b, device = len(pixels), pixels.device
    if training.flip:
        mirrored = torch.rand(b, device=device) < 0.5
        pixels = torch.where(mirrored[:, None, None, None], pixels.flip(3), pixels)
    x_0 = patchify(pixels, patch_size)
    hidden = torch.rand(b, device=device) < training.label_dropout
    return Example(
        x_0=x_0,
        eps=torch.randn_like(x_0),
        t=logit_normal_time(torch.randn(b, device=device), training.time_mean, training.time_std),
        labels=torch.where(hidden, null_label, labels),
    )


def loss(model: VelocityModel, example: Example, training: Training) -> Float[Tensor, ""]:
    """The flow matching loss of the recovered velocity, averaged over the batch.        [AsymFlow, eq. 2 and 5]"""
    x_t = interpolate(example.x_0, example.eps, example.t)
    u_hat = model(x_t, example.t, example.labels, sigma_min=training.sigma_min)
    u = velocity(example.x_0, example.eps)
    return flow_matching_loss(u_hat, u, example.t, training.sigma_floor).mean()
