"""Several guidance settings from the same noise, with what they share drawn once."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from asymflow.config.colour import Colour
from asymflow.config.sampling import Sampling
from asymflow.data.colour import decode
from asymflow.flow.guidance import in_interval
from asymflow.flow.solver import heun, time_grid
from asymflow.sampling.sampler import Model, guided_field, to_bytes
from asymflow.subspace.patches import patchify, unpatchify


@torch.no_grad()
def sample_each(
    model: Model,
    start: Float[Tensor, "b c h w"],
    labels: Int[Tensor, "b"],
    settings: list[Sampling],
    *,
    patch_size: int,
    colour: Colour,
    null_label: int,
) -> Iterator[UInt8[Tensor, "b c h w"]]:
    """What `sample` gives for each of several settings that differ in guidance alone, their unguided beginning drawn once.

    The states before guidance sets in are kept on the way and shared, so the images are the same to the last bit.
    """
    grid = (start.shape[2] // patch_size, start.shape[3] // patch_size)
    times = time_grid(settings[0].steps)
    shared = [unguided_steps(times, setting) for setting in settings]
    plain = guided_field(model, labels, null_label, settings[0].model_copy(update={"guidance": 1.0}))
    states = [patchify(start, patch_size)]
    for i in range(max(shared)):
        states.append(heun(plain, states[-1], times[i : i + 2]))
    for setting, steps in zip(settings, shared, strict=True):
        tokens = heun(guided_field(model, labels, null_label, setting), states[steps], times[steps:])
        yield to_bytes(decode(unpatchify(tokens, grid, patch_size), colour))


def unguided_steps(times: list[float], settings: Sampling) -> int:
    """Steps of the solver before the first that evaluates the velocity at a guided noise level."""
    if settings.guidance == 1:
        return len(times) - 1
    first = next((i for i, t in enumerate(times[:-1]) if in_interval(t, settings.interval)), len(times))
    return max(0, first - 1)
