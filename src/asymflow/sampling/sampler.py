"""Drawing images from a velocity model, each a function of (seed, index) alone."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from asymflow.config.colour import Colour
from asymflow.config.sampling import Sampling
from asymflow.data.colour import decode
from asymflow.flow.guidance import Velocity, guided
from asymflow.flow.solver import constant_time, heun, time_grid
from asymflow.models.velocity import VelocityModel
from asymflow.randomness import generator
from asymflow.subspace.patches import patchify, unpatchify

# model(x_t, t, labels, sigma_min=...) -> u: a VelocityModel, compiled or not
Model = VelocityModel | Callable[..., Tensor]


def noise(seed: int, indices: range, shape: tuple[int, int, int]) -> Float[Tensor, "b c h w"]:
    """The starting noise of the given sample indices: each has a generator of its own, on the CPU, whatever the device.

    So a sample depends neither on the batch that it is drawn in, nor on how many processes share the work.
    """
    drawn = [generator(seed, index).standard_normal(shape, dtype=np.float32) for index in indices]
    return torch.from_numpy(np.stack(drawn))


def balanced_labels(indices: range, classes: int) -> Int[Tensor, "b"]:
    """The classes of the given sample indices: round and round, so that any count is as even as it can be."""
    return torch.tensor(indices, dtype=torch.long) % classes


@torch.no_grad()
def sample(
    model: Model,
    start: Float[Tensor, "b c h w"],
    labels: Int[Tensor, "b"],
    *,
    patch_size: int,
    colour: Colour,
    null_label: int,
    settings: Sampling,
) -> UInt8[Tensor, "b c h w"]:
    """Images from noise by Heun's method with guidance, rounded to 8 bits.

    The solver's state is float32 tokens in the model's colour space and nothing is clamped on the way; the image is made RGB and
    clamped once, at its end.
    """
    grid = (start.shape[2] // patch_size, start.shape[3] // patch_size)
    field = guided_field(model, labels, null_label, settings)
    tokens = heun(field, patchify(start, patch_size), time_grid(settings.steps))
    return to_bytes(decode(unpatchify(tokens, grid, patch_size), colour))


def guided_field(model: Model, labels: Int[Tensor, "b"], null_label: int, settings: Sampling) -> Velocity:
    """The velocity field that the solver integrates, guided as the settings say."""
    nobody = torch.full_like(labels, null_label)

    def conditional(x: Tensor, t: float) -> Tensor:
        return model(x, constant_time(t, x), labels, sigma_min=settings.sigma_min)

    def both(x: Tensor, t: float) -> tuple[Tensor, Tensor]:
        return conditional(x, t), model(x, constant_time(t, x), nobody, sigma_min=settings.sigma_min)

    return guided(conditional, both, settings.guidance, settings.interval)


def to_bytes(images: Float[Tensor, "*shape"]) -> UInt8[Tensor, "*shape"]:
    """Pixels in [-1, 1] as bytes, rounded to the nearest; what lies outside is clamped."""
    return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
