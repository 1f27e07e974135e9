"""JiT whose output has a share of its noisy input: a complete way around for the noise, number by number.

    y = network(x, t) + g(t, c) * x                     g linear in what the blocks are told, from 0

The velocity is (x_t - x_0) / t: with g = 1 / t everywhere the rest of the output is data, and no noise needs to pass the blocks.
So this is the control of the argument that velocity prediction fails because it must.

Shapes: b images, n tokens, d numbers of a token, w channels.
"""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear, silu

from asymflow.config.jit import Size
from asymflow.models.condition import Condition, Shapes
from asymflow.models.jit import JiT, built


class Gained(JiT):
    """JiT with a gain for each number of a token; from the same generator it begins as JiT, weight for weight."""

    def __init__(self, size: Size, *, dimension: int, grid: tuple[int, int], shapes: Shapes, checkpointing: bool):
        super().__init__(size, dimension=dimension, grid=grid, shapes=shapes, checkpointing=checkpointing)
        self.gain = nn.Parameter(torch.zeros(dimension, size.width))
        self.gain_bias = nn.Parameter(torch.zeros(dimension))

    def forward(
        self, x: Float[Tensor, "b n d"], t: Float[Tensor, " b"], condition: Condition
    ) -> Float[Tensor, "b n d"]:
        vector, time = self._vector(condition), self.time(t)
        c = silu(time if vector is None else time + vector)
        gain = linear(c, self.gain, self.gain_bias)[:, None]
        return super().forward(x, t, condition) + gain.to(x.dtype) * x


build = partial(built, Gained)
