"""DDT on JiT: the last blocks are a decoder that sees the noisy patch again [Wang et al. 2025, DDT].

The blocks before them are an encoder, told what JiT is told; its image tokens s and the time give z = silu(t + s). The decoder
embeds the patch a second time and is told z alone: each token has a modulation of its own, in the final layer too. Noise has a
way around the encoder, but through the second embedding.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import silu

from asymflow.config.decoupled import Decoupled as Config
from asymflow.config.jit import Size
from asymflow.models.condition import Condition, Shapes
from asymflow.models.jit import JiT, PatchEmbedding
from asymflow.models.layers import begin_as


class Decoupled(JiT):
    """JiT whose last `decoder` blocks are modulated token by token by what the others give."""

    def __init__(
        self, size: Size, decoder: int, *, dimension: int, grid: tuple[int, int], shapes: Shapes, checkpointing: bool
    ):
        super().__init__(size, dimension=dimension, grid=grid, shapes=shapes, checkpointing=checkpointing)
        self.encoder = size.depth - decoder
        self.again = PatchEmbedding(patch_dim=dimension, bottleneck=size.bottleneck, width=size.width, grid=grid)

    def forward(
        self, x: Float[Tensor, "b n d"], t: Float[Tensor, " b"], condition: Condition
    ) -> Float[Tensor, "b n d"]:
        vector, time, blocks = self._vector(condition), self.time(t), list(self.blocks)
        c = silu(time if vector is None else time + vector)
        s = self._through_all(blocks[: self.encoder], self.embed(x), c, vector, condition)
        z, tokens = silu(time[:, None] + s), self.again(x)
        for block in blocks[self.encoder :]:
            tokens = self._through(block, tokens, z)
        return self.final(tokens, z).to(x.dtype)

    @torch.no_grad()
    def start_from(self, directions: Float[Tensor, "d k"]) -> None:
        """As JiT; the second embedding starts from the same directions."""
        super().start_from(directions)
        begin_as(self.again.reduce, directions)


def build(
    config: Config,
    *,
    dimension: int,
    grid: tuple[int, int],
    shapes: Shapes,
    generator: torch.Generator | None,
    checkpointing: bool,
) -> Decoupled:
    """The network of a configuration with its weights drawn from the generator (None: torch's own)."""
    options = {"dimension": dimension, "grid": grid, "shapes": shapes, "checkpointing": checkpointing}
    network = Decoupled(config.dimensions, config.decoded, **options)
    network.initialise(generator)
    return network
