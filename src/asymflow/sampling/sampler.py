"""Drawing images from a trained run, each a function of (seed, number of its noise, condition) alone.

Letters in shapes: b images, n tokens, D numbers of each, H and W pixels.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from asymflow import parts
from asymflow.config.sampling import Sampling
from asymflow.data.tokens import to_bytes, to_pixels
from asymflow.flow.guidance import in_interval
from asymflow.flow.solver import time_grid
from asymflow.models.condition import Condition
from asymflow.randomness import generator
from asymflow.sampling.field import velocity_field
from asymflow.sampling.run import Run
from asymflow.subspace.patches import patchify


def noise(seed: int, numbers: Iterable[int], shape: tuple[int, int, int]) -> Float[Tensor, "b 3 H W"]:
    """The starting noises of the given numbers: each has a generator of its own, on the CPU, whatever the device.

    So a sample depends neither on the batch that it is drawn in, nor on how many processes share the work.
    """
    drawn = [generator(seed, number).standard_normal(shape, dtype=np.float32) for number in numbers]
    return torch.from_numpy(np.stack(drawn))


@torch.no_grad()
def sample(
    run: Run, start: Float[Tensor, "b 3 H W"], condition: Condition, settings: Sampling
) -> UInt8[Tensor, "b 3 H W"]:
    """Images from noise in pixels under a condition, rounded to 8 bits.

    The solver's state is float32 tokens and nothing is clamped on the way unless the settings say so; the image is made RGB and
    clamped once, at its end. All arms begin with the same noise in pixels, or its part in the latents.  [AsymFlow, theorem 1]
    """
    field = velocity_field(run.model, condition, settings, run.arm, run.seed)
    solver = parts.load(parts.solver(settings.solver))
    return images(run, solver.solve(field, tokens(run, start), times(run, settings)))


@torch.no_grad()
def sample_each(
    run: Run, start: Float[Tensor, "b 3 H W"], condition: Condition, settings: list[Sampling]
) -> Iterator[UInt8[Tensor, "b 3 H W"]]:
    """What `sample` gives for each of several settings that differ in guidance alone, their unguided beginning drawn once.

    The states before guidance sets in are kept on the way and shared, so the images are the same to the last bit. A solver whose
    steps depend on earlier ones shares nothing.
    """
    solver, grid = parts.load(parts.solver(settings[0].solver)), times(run, settings[0])
    shared = [unguided_steps(grid, setting, solver.LOOKS_AHEAD) if solver.RESUMABLE else 0 for setting in settings]
    plain = velocity_field(run.model, condition, settings[0].guided(1.0, (0.0, 1.0)), run.arm, run.seed)
    states = [tokens(run, start)]
    for i in range(max(shared)):
        states.append(solver.solve(plain, states[-1], grid[i : i + 2]))
    for setting, steps in zip(settings, shared, strict=True):
        field = velocity_field(run.model, condition, setting, run.arm, run.seed)
        yield images(run, solver.solve(field, states[steps], grid[steps:]))


def unguided_steps(times: list[float], settings: Sampling, looks_ahead: bool) -> int:
    """Steps of a solver before the first that evaluates the velocity at a guided noise level; each may look at its end too."""
    guidance = settings.guidance
    if guidance.scale == 1:
        return len(times) - 1
    first = next((i for i, t in enumerate(times[:-1]) if in_interval(t, guidance.interval)), len(times))
    return max(0, first - 1) if looks_ahead else min(first, len(times) - 1)


def times(run: Run, settings: Sampling) -> list[float]:
    """The noise levels of the solver, shifted as the settings or the arm's training say."""
    return time_grid(settings.steps, settings.shift or run.arm.training.shift)


def tokens(run: Run, noise: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b n D"]:
    """Noise as the tokens that the run's network works on."""
    patches = patchify(noise, run.arm.representation.patch_size, run.arm.network.order)
    return patches @ run.lift.A if run.arm.representation.space == "latent" else patches


def images(run: Run, tokens: Float[Tensor, "b n D"]) -> UInt8[Tensor, "b 3 H W"]:
    """Tokens as images of 8 bits."""
    if run.arm.representation.space == "latent":
        return to_bytes(run.latents.decode(tokens, run.grid))
    return to_bytes(to_pixels(tokens, run.grid, run.arm))
