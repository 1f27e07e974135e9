"""What a network is shown and asked in one training step, drawn from a batch and the seeded generators.

Letters in shapes: b images, n tokens, D numbers of each, d of a latent token, m patch tokens of q channels, H and W pixels.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from asymflow import parts
from asymflow.config.arm import Arm
from asymflow.config.conditions import MODALITIES, Conditions
from asymflow.data.batches import Batch
from asymflow.data.tokens import grid_of, to_tokens
from asymflow.flow.path import logit_normal_time, shift_time
from asymflow.models.condition import Condition, visible
from asymflow.randomness import torch_seed


@dataclass(frozen=True)
class Example:
    """One batch of images of one shape; what an arm does not need is None."""

    x_0: Float[Tensor, "b n D"]
    eps: Float[Tensor, "b n D"]
    t: Float[Tensor, "b"]
    condition: Condition
    pixels: Float[Tensor, "b 3 H W"]  # the images in [-1, 1], RGB
    progress: float  # share of the training that is over
    z_0: Float[Tensor, "b n d"] | None = None  # the latent tokens of the images
    patch_tokens: Float[Tensor, "b m q"] | None = None  # the images' own, as stage embed_images stored them
    places: Float[Tensor, "b n"] | None = None  # weight of each token in the loss
    levels: Float[Tensor, " w"] | None = None  # t of the whole batch, where this is a part or one process's share of it

    def split(self, size: int) -> list["Example"]:
        """The example in parts of at most `size` images."""
        conditions = self.condition.split(size)
        always = zip(*(x.split(size) for x in (self.x_0, self.eps, self.t, self.pixels)), strict=True)
        optional = (
            [None] * len(conditions) if x is None else x.split(size) for x in (self.z_0, self.patch_tokens, self.places)
        )
        levels = self.t if self.levels is None else self.levels
        return [
            Example(x_0, eps, t, condition, pixels, self.progress, *others, levels=levels)
            for (x_0, eps, t, pixels), condition, *others in zip(always, conditions, *optional, strict=True)
        ]


def seed_step(seed: int, images_seen: int, rank: int = 0) -> None:
    """Seeds all random numbers of one step, so that a resumed run draws what an uninterrupted one would."""
    torch.manual_seed(torch_seed(seed, images_seen, rank))


def draw(
    batch: Batch, progress: float, *, arm: Arm, empty: Tensor | None = None, rank: int = 0, world_size: int = 1
) -> Example:
    """The example of a batch. Arms that differ in target, weights, losses or routing draw the same noise, levels and conditions.

    The order of the draws: mirrored images where they are, what is shown, noise, noise levels, visible tokens. Of several
    processes each has an equal share of the images; it draws for the shares of all, from the same seed, and keeps its own. So
    they see together what a single process would, and a training goes on with another number of them.
    """
    pixels = batch["images"].float() / 127.5 - 1
    b, device, training = len(pixels), pixels.device, arm.training
    whole = b * world_size

    def own(drawn: Tensor) -> Tensor:
        # a copy, or the others' shares would stay in memory
        return drawn if world_size == 1 else drawn[rank * b : (rank + 1) * b].clone()

    if training.flip:
        mirrored = own(torch.rand(whole, device=device)) < 0.5
        pixels = torch.where(mirrored[:, None, None, None], pixels.flip(3), pixels)
    x_0 = batch["latents"] if arm.representation.space == "latent" else to_tokens(pixels, arm)
    present = own(shown(arm.conditions, whole, device))
    eps = own(torch.randn(whole, *x_0.shape[1:], dtype=x_0.dtype, device=device))
    z = torch.randn(whole, device=device)
    levels = shift_time(logit_normal_time(z, training.time_mean, training.time_std), training.shift)
    condition = Condition(
        present=present,
        grid=grid_of(*pixels.shape[2:], arm.representation.patch_size),
        visible=visible(x_0.shape[1], arm.network.bypass, device),
        **condition_parts(batch, arm.conditions, empty),
    )
    weights = arm.losses.places
    return Example(
        x_0=x_0,
        eps=eps,
        t=own(levels),
        condition=condition,
        pixels=pixels,
        progress=progress,
        z_0=batch.get("latents"),
        patch_tokens=batch.get("patches"),
        places=parts.load(parts.terms(arm)["places"]).place_weights(batch["face"], weights) if weights else None,
        levels=levels if world_size > 1 else None,
    )


def shown(conditions: Conditions, count: int, device: torch.device) -> Bool[Tensor, "count 5"]:
    """What each image is shown: one uniform number chooses among the ways of the law, in its order."""
    ways = torch.tensor([[name in way.what for name in MODALITIES] for way in conditions.shown], device=device)
    ends = torch.tensor([way.share for way in conditions.shown], device=device).cumsum(0)[:-1]
    return ways[(torch.rand(count, device=device)[:, None] >= ends).sum(1)]


def condition_parts(rows: Batch, conditions: Conditions, empty: Tensor | None) -> dict[str, Tensor]:
    """The parts of a condition that an arm is conditioned on, from rows that may hold more."""
    named = {"class": ("label",), "caption": ("text", "mask"), "embedding": ("embedding",), "patches": ("patches",)}
    parts_shown = {key: rows[key] for name in conditions.modalities for key in named.get(name, ()) if key in rows}
    if "caption" in conditions.modalities:
        parts_shown["empty"] = empty
    if conditions.joints:  # undetected: the confidence is 0
        images = next(iter(rows.values()))
        parts_shown["joints"] = torch.zeros(len(images), conditions.joints, 3, device=images.device)
    return parts_shown
