"""DiT: a plain diffusion transformer over pixel patches, optionally with U-ViT's long skips.

The time, class and image embedding modulate every block (adaLN-Zero) [Peebles and Xie 2023]; captions, patch tokens and joints
stand before the image tokens from the first block on. With skips, the tokens that enter block i of the first half join those
that enter block depth - 1 - i, through a matrix of both [Bao et al. 2023, U-ViT]: detail, and noise, has a way around the middle.

Shapes: b images, n = rows * cols tokens in raster order, D numbers of a patch, w channels of a token.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu
from torch.utils.checkpoint import checkpoint

from asymflow.config.dit import DiT as Config
from asymflow.models.condition import Condition, Shapes
from asymflow.models.layers import Attention, RMSNorm, SwiGLU, TimeEmbedding, begin_as, rotary_table, sine_positions
from asymflow.models.reader import Label, Reader


class Block(nn.Module):
    """Attention and MLP, each as x + gate * f(norm(x) * (1 + scale) + shift), shift, scale and gate linear in c."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.attention = RMSNorm(width), Attention(width, heads)
        self.norm2, self.mlp = RMSNorm(width), SwiGLU(width, dropout=0.0)
        self.modulation = nn.Linear(width, 6 * width)

    def forward(
        self, x: Float[Tensor, "b n w"], c: Float[Tensor, "b w"], table: Float[Tensor, "2 n c"]
    ) -> Float[Tensor, "b n w"]:
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(c)[:, None].chunk(6, dim=-1)
        x = x + gate1 * self.attention(self.norm1(x) * (1 + scale1) + shift1, table)
        return x + gate2 * self.mlp(self.norm2(x) * (1 + scale2) + shift2)


class DiT(nn.Module):
    """Network output for noisy patches x at noise level t under a condition, in the space of patches; 0 before training."""

    def __init__(self, config: Config, *, dimension: int, grid: tuple[int, int], shapes: Shapes, checkpointing: bool):
        super().__init__()
        width, depth = config.width, config.depth
        self.width, self.checkpointing = width, checkpointing
        self.embed = nn.Linear(dimension, width)
        self.register_buffer("positions", sine_positions(rows=grid[0], cols=grid[1], width=width), persistent=False)
        self.time = TimeEmbedding(width)
        self.label = Label(shapes.classes, width) if shapes.classes else None
        self.reader = Reader(shapes, width)
        table = rotary_table(rows=grid[0], cols=grid[1], channels=width // config.heads, prefix=self.reader.count)
        self.register_buffer("table", table, persistent=False)
        self.blocks = nn.ModuleList(Block(width, config.heads) for _ in range(depth))
        self.joins = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(depth // 2 if config.skips else 0))
        self.norm, self.modulation = RMSNorm(width), nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, dimension)

    def forward(
        self, x: Float[Tensor, "b n D"], t: Float[Tensor, " b"], condition: Condition
    ) -> Float[Tensor, "b n D"]:
        c = silu(self._vector(t, condition))
        tokens = torch.cat([*self.reader.tokens(condition), self.embed(x) + self.positions], dim=1)
        skipped, first_join = [], len(self.blocks) - len(self.joins)
        for index, block in enumerate(self.blocks):
            if index < len(self.joins):
                skipped.append(tokens)
            if index >= first_join:
                tokens = self.joins[index - first_join](torch.cat([tokens, skipped.pop()], dim=-1))
            tokens = self._through(block, tokens, c)
        shift, scale = self.modulation(c)[:, None].chunk(2, dim=-1)
        return self.out(self.norm(tokens[:, self.reader.count :]) * (1 + scale) + shift).to(x.dtype)

    def _vector(self, t: Float[Tensor, " b"], condition: Condition) -> Float[Tensor, "b w"]:
        """Time, class and image embedding, as far as the network is conditioned on them."""
        c = self.time(t)
        if self.reader.shapes.embedding:
            c = c + self.reader.embedding(condition)
        return c if self.label is None else c + self.label(condition)

    def _through(self, block: Block, tokens: Tensor, c: Tensor) -> Tensor:
        if self.checkpointing and torch.is_grad_enabled():
            return checkpoint(block, tokens, c, self.table, use_reentrant=False)
        return block(tokens, c, self.table)

    @torch.no_grad()
    def start_from(self, directions: Float[Tensor, "D k"]) -> None:
        """Starts the first k channels of the patch embedding as the k given orthonormal directions; none are frozen."""
        begin_as(self.embed, directions)


@torch.no_grad()
def build(
    config: Config,
    *,
    dimension: int,
    grid: tuple[int, int],
    shapes: Shapes,
    generator: torch.Generator | None,
    checkpointing: bool,
) -> DiT:
    """The network of a configuration: matrices Xavier-uniform from the generator (None: torch's own), biases, modulations and the
    last matrix 0."""
    network = DiT(config, dimension=dimension, grid=grid, shapes=shapes, checkpointing=checkpointing)
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight, generator=generator)
            nn.init.zeros_(module.bias) if module.bias is not None else None
    for part in (network.label, network.reader):
        part.initialise(generator) if part is not None else None
    for module in (*(block.modulation for block in network.blocks), network.modulation, network.out):
        nn.init.zeros_(module.weight)
    return network
