"""JiT: the plain transformer over pixel patches that AsymFlow trains [Li and He 2025; AsymFlow, appendix B.1].

What differs from a textbook DiT: a patch embedding of two matrices with a narrow bottleneck between them, RMSNorm,
SwiGLU, rotary positions beside the fixed sine ones, normalised queries and keys, and class tokens that join the image
tokens some blocks in ("in-context") beside the usual modulation by time and class (adaLN-Zero).

Shapes: b images, n = rows * cols tokens in raster order, d numbers of a token (p * p * 3 of a patch, flattened as (row, col,
channel)), w channels of a token.
"""

from collections.abc import Iterable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu
from torch.utils.checkpoint import checkpoint

from asymflow.config.jit import JiT as Config
from asymflow.config.jit import Size
from asymflow.models.condition import Condition, Shapes
from asymflow.models.layers import Attention, RMSNorm, SwiGLU, TimeEmbedding, begin_as, rotary_table, sine_positions
from asymflow.models.reader import Label, Reader


class PatchEmbedding(nn.Module):
    """Patches to tokens through a bottleneck, plus fixed positions: W_out (W_in x) + b + position.

    W_in is JiT's strided convolution without bias, here the equal matrix on flattened patches. A bottleneck of 0 is none: a
    single matrix, W x + b + position. The positions are float32, so that the tokens between blocks stay float32 under
    autocast too.
    """

    def __init__(self, *, patch_dim: int, bottleneck: int, width: int, grid: tuple[int, int]):
        super().__init__()
        self.reduce = nn.Linear(patch_dim, bottleneck or width, bias=not bottleneck)
        self.expand = nn.Linear(bottleneck, width) if bottleneck else nn.Identity()
        positions = sine_positions(rows=grid[0], cols=grid[1], width=width)
        self.register_buffer("positions", positions, persistent=False)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n w"]:
        return self.expand(self.reduce(x)) + self.positions


def modulation(layer: nn.Linear, c: Float[Tensor, "b *n w"], parts: int) -> tuple[Tensor, ...]:
    """So many shifts, scales and gates, linear in c: for all tokens alike where c is (b, w), for each where it is (b, n, w)."""
    values = layer(c)
    return (values[:, None] if c.ndim == 2 else values).chunk(parts, dim=-1)


class Block(nn.Module):
    """Attention and MLP, each as x + gate * f(norm(x) * (1 + scale) + shift), shift, scale and gate linear in c.

    c is the condition after SiLU, which all blocks share.
    """

    def __init__(self, *, width: int, heads: int, dropout: float, hidden: int | None = None):
        super().__init__()
        self.norm1 = RMSNorm(width)
        self.attention = Attention(width, heads)
        self.dropout = nn.Dropout(dropout)
        self.norm2 = RMSNorm(width)
        self.mlp = SwiGLU(width, dropout, hidden)
        self.modulation = nn.Linear(width, 6 * width)

    def forward(
        self, x: Float[Tensor, "b n w"], c: Float[Tensor, "b *n w"], table: Float[Tensor, "2 n c"]
    ) -> Float[Tensor, "b n w"]:
        shift1, scale1, gate1, shift2, scale2, gate2 = modulation(self.modulation, c, 6)
        x = x + gate1 * self.dropout(self.attention(self.norm1(x) * (1 + scale1) + shift1, table))
        return x + gate2 * self.mlp(self.norm2(x) * (1 + scale2) + shift2)


class FinalLayer(nn.Module):
    """Tokens to patches: linear(norm(x) * (1 + scale) + shift), shift and scale linear in c."""

    def __init__(self, *, width: int, patch_dim: int):
        super().__init__()
        self.norm = RMSNorm(width)
        self.modulation = nn.Linear(width, 2 * width)
        self.linear = nn.Linear(width, patch_dim)

    def forward(self, x: Float[Tensor, "b n w"], c: Float[Tensor, "b *n w"]) -> Float[Tensor, "b n d"]:
        shift, scale = modulation(self.modulation, c, 2)
        return self.linear(self.norm(x) * (1 + scale) + shift)


class JiT(nn.Module):
    """Network output for noisy patches x at noise level t under a condition, in the space of patches.

    Class and image embedding join the time in the modulations and come with the class tokens; captions and patch tokens join the
    image tokens beside these. The dtype of x is the dtype of the result. The output is 0 before training starts. `checkpointing`
    recomputes each block in the backward pass instead of keeping its activations: a third more work for a fraction of the memory.
    """

    def __init__(self, size: Size, *, dimension: int, grid: tuple[int, int], shapes: Shapes, checkpointing: bool):
        super().__init__()
        width, heads = size.width, size.heads
        self.width, self.enters, self.checkpointing = width, size.enters, checkpointing
        self.embed = PatchEmbedding(patch_dim=dimension, bottleneck=size.bottleneck, width=width, grid=grid)
        self.time = TimeEmbedding(width)
        self.label = Label(shapes.classes, width) if shapes.classes else None
        vector = shapes.classes or shapes.embedding
        self.context = nn.Parameter(torch.empty(size.context, width)) if vector else None
        self.reader = Reader(shapes, width)
        self.prefix = self.reader.count + (size.context if vector else 0)
        table = rotary_table(rows=grid[0], cols=grid[1], channels=width // heads, prefix=self.prefix)
        self.register_buffer("table", table, persistent=False)
        quarter = size.depth // 4
        self.blocks = nn.ModuleList(
            Block(
                width=width,
                heads=heads,
                hidden=size.hidden,
                dropout=size.dropout if quarter <= index < 3 * quarter else 0.0,
            )
            for index in range(size.depth)
        )
        self.final = FinalLayer(width=width, patch_dim=dimension)

    def forward(
        self, x: Float[Tensor, "b n d"], t: Float[Tensor, " b"], condition: Condition
    ) -> Float[Tensor, "b n d"]:
        vector, time = self._vector(condition), self.time(t)
        c = silu(time if vector is None else time + vector)
        tokens = self._through_all(self.blocks, self.embed(x), c, vector, condition)
        return self.final(tokens, c).to(x.dtype)

    def _through_all(
        self, blocks: Iterable[Block], tokens: Tensor, c: Tensor, vector: Tensor | None, condition: Condition
    ) -> Tensor:
        """The image tokens after these blocks, the first of the network on."""
        for index, block in enumerate(blocks):
            tokens = self._through(block, self._entering(index, tokens, vector, condition), c)
        return tokens[:, self.prefix :]

    def _entering(self, index: int, tokens: Tensor, vector: Tensor | None, condition: Condition) -> Tensor:
        """The tokens that enter a block: from one of them on, those that join stand before those of the image."""
        if index == self.enters and self.prefix:
            return torch.cat([*self._joining(vector, condition), tokens], dim=1)
        return tokens

    def _vector(self, condition: Condition) -> Float[Tensor, "b w"] | None:
        """Class and image embedding, as far as the network is conditioned on them."""
        label = self.label(condition) if self.label is not None else None
        if not self.reader.shapes.embedding:
            return label
        embedding = self.reader.embedding(condition)
        return embedding if label is None else label + embedding

    def _joining(self, vector: Tensor | None, condition: Condition) -> list[Float[Tensor, "b _ w"]]:
        """The tokens that join those of the image: they have no place in its grid."""
        classes = [] if vector is None else [vector[:, None] + self.context]
        return classes + self.reader.tokens(condition)

    def _through(self, block: Block, tokens: Tensor, c: Tensor) -> Tensor:
        table = self.table[:, -tokens.shape[1] :]  # those of the image come last
        if self.checkpointing and torch.is_grad_enabled():
            return checkpoint(block, tokens, c, table, use_reentrant=False)
        return block(tokens, c, table)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator | None) -> None:
        """Draws all weights as JiT does.

        Matrices Xavier-uniform and biases 0; the label table, the time MLP and the class tokens from N(0, 0.02^2); all
        modulations and the last matrix 0, so that every block starts as the identity and the output as 0.
        """
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight, generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if self.label is not None:
            self.label.initialise(generator)
        for weight in (self.time.mlp[0].weight, self.time.mlp[2].weight, self.context):
            if weight is not None:
                nn.init.normal_(weight, std=0.02, generator=generator)
        self.reader.initialise(generator)
        for module in (*(block.modulation for block in self.blocks), self.final.modulation, self.final.linear):
            nn.init.zeros_(module.weight)

    @torch.no_grad()
    def start_from(self, directions: Float[Tensor, "d k"]) -> None:
        """Starts the first k bottleneck channels, or channels of a token where there is no bottleneck, as the k given orthonormal
        directions of patch space; none are frozen."""
        begin_as(self.embed.reduce, directions)


def built(
    kind: type[JiT],
    config: Config,
    *,
    dimension: int,
    grid: tuple[int, int],
    shapes: Shapes,
    generator: torch.Generator | None,
    checkpointing: bool,
) -> JiT:
    """The network of a configuration, of this kind, with its weights drawn from the generator (None: torch's own)."""
    network = kind(config.dimensions, dimension=dimension, grid=grid, shapes=shapes, checkpointing=checkpointing)
    network.initialise(generator)
    return network


build = partial(built, JiT)
