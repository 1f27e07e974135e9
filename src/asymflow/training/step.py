"""One training step's arithmetic: noise levels, noise, and the loss."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from asymflow.config.colour import Colour
from asymflow.config.training import Training
from asymflow.data.colour import encode
from asymflow.flow.objective import flow_matching_loss
from asymflow.flow.path import interpolate, logit_normal_time, velocity
from asymflow.models.velocity import VelocityModel
from asymflow.randomness import torch_seed
from asymflow.subspace.patches import patchify

# teacher(pixels (b, 3, h, w) in [-1, 1]) -> tokens (b, n, e) that a network's features are aligned with
Teacher = Callable[[Tensor], Tensor]


@runtime_checkable
class Example(Protocol):
    """What an objective takes: one batch, with the noise level of each image, which can be cut into parts."""

    t: Tensor

    def split(self, size: int) -> list["Example"]: ...


@dataclass(frozen=True)
class ClassExample:
    """What the network is shown and asked, for one batch of images with classes."""

    x_0: Float[Tensor, "b n D"]
    eps: Float[Tensor, "b n D"]
    t: Float[Tensor, "b"]
    labels: Int[Tensor, "b"]
    tokens: Float[Tensor, "b _n e"]  # the teacher's view of the clean images; of no tokens where there is no teacher

    def split(self, size: int) -> list["ClassExample"]:
        """The example in parts of at most `size` images."""
        pieces = (x.split(size) for x in (self.x_0, self.eps, self.t, self.labels, self.tokens))
        return [ClassExample(*piece) for piece in zip(*pieces, strict=True)]


def seed_step(seed: int, images_seen: int, rank: int) -> None:
    """Seeds all random numbers of one step, so that a resumed run draws what an uninterrupted one would."""
    torch.manual_seed(torch_seed(seed, images_seen, rank))


def draw(
    images: UInt8[Tensor, "b c h w"],
    labels: Int[Tensor, "b"],
    patch_size: int,
    colour: Colour,
    null_label: int,
    training: Training,
    teacher: Teacher | None = None,
) -> ClassExample:
    """Noise, noise levels, hidden labels and mirrored images for a batch, from the seeded generators."""
    pixels = images.float() / 127.5 - 1
    b, device = len(pixels), pixels.device
    if training.flip:
        mirrored = torch.rand(b, device=device) < 0.5
        pixels = torch.where(mirrored[:, None, None, None], pixels.flip(3), pixels)
    x_0 = patchify(encode(pixels, colour), patch_size)
    hidden = torch.rand(b, device=device) < training.label_dropout
    return ClassExample(
        x_0=x_0,
        eps=torch.randn_like(x_0),
        t=logit_normal_time(torch.randn(b, device=device), training.time_mean, training.time_std),
        labels=torch.where(hidden, null_label, labels),
        tokens=teacher(pixels) if teacher else pixels.new_empty(b, 0, 0),
    )


class FlowMatching(nn.Module):
    """The objective: the flow matching loss of the recovered velocity, averaged over the batch.  [AsymFlow, eq. 2 and 5]

    An objective takes an example and gives its terms by name; training minimises their sum.
    """

    def __init__(self, model: VelocityModel, training: Training):
        super().__init__()
        self.model, self.sigma_min, self.sigma_floor = model, training.sigma_min, training.sigma_floor

    def forward(self, example: ClassExample) -> dict[str, Float[Tensor, ""]]:
        x_t = interpolate(example.x_0, example.eps, example.t)
        u_hat = self.model(x_t, example.t, example.labels, sigma_min=self.sigma_min)
        u = velocity(example.x_0, example.eps)
        return {"flow": flow_matching_loss(u_hat, u, example.t, self.sigma_floor).mean()}
