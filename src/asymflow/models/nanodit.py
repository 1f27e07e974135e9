"""NanoDiT, the network of prx-tg: a transformer over pixel patches that attends to captions and image embeddings.

What differs from a textbook DiT: three branches in each block (tokens among themselves, tokens and conditions, MLP) with a shift
and a scale each and no gates; the image embedding sets the modulation together with the time and is read as a token as well; the
image's own patch tokens may be a condition; and in training some tokens may bypass the middle blocks (TREAD).

Letters in shapes: b images, n = rows * cols tokens in raster order, v of them visible, D numbers of a patch, w channels of a
token, l tokens of the condition.
"""

import math
from itertools import starmap

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm, scaled_dot_product_attention, silu
from torch.utils.checkpoint import checkpoint

from asymflow.config.nanodit import NanoDiT as Config
from asymflow.config.representation import CHANNELS
from asymflow.models.condition import Condition, Shapes
from asymflow.models.layers import TimeEmbedding, begin_as, sine_positions
from asymflow.models.reader import Label, Reader
from asymflow.models.scan import BidirectionalScan
from asymflow.subspace.patches import patchify, unpatchify

TIME_SCALE = 1000  # the time embedding takes t in thousandths, as networks over 1000 steps do


def normed(x: Float[Tensor, "b n w"]) -> Float[Tensor, "b n w"]:
    """Layer normalisation without weights."""
    return layer_norm(x, x.shape[-1:], eps=1e-6)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Bool[Tensor, "b l"] | None = None) -> Tensor:
    """softmax(q k^T / sqrt(c)) v over the tokens that the mask lets be seen. Written out on CPUs, as in `layers.attend`."""
    allowed = None if mask is None else mask[:, None, None, :]
    if q.device.type != "cpu":
        return scaled_dot_product_attention(q, k, v, attn_mask=allowed)
    logits = q * q.shape[-1] ** -0.5 @ k.mT
    return (logits if allowed is None else logits.masked_fill(~allowed, float("-inf"))).softmax(-1) @ v


class SelfAttention(nn.Module):
    """Attention of the tokens to each other, without biases."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Float[Tensor, "b n w"]) -> Float[Tensor, "b n w"]:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.out(attend(q, k, v).transpose(1, 2).flatten(2))


class CrossAttention(nn.Module):
    """Attention of the tokens to the conditions, without biases."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width, bias=False)
        self.kv = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(
        self, x: Float[Tensor, "b n w"], context: Float[Tensor, "b l w"], mask: Bool[Tensor, "b l"]
    ) -> Float[Tensor, "b n w"]:
        q = self.q(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.kv(context).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.out(attend(q, k, v, mask).transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    """W2 gelu(W1 x), four times as wide inside, without biases."""

    def __init__(self, width: int):
        super().__init__()
        self.enter = nn.Linear(width, 4 * width, bias=False)
        self.out = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Float[Tensor, "b n w"]) -> Float[Tensor, "b n w"]:
        return self.out(gelu(self.enter(x), approximate="tanh"))


class Block(nn.Module):
    """Three branches, each as x + f(norm(x) * (1 + scale) + shift)."""

    def __init__(self, mixer: nn.Module, width: int, heads: int):
        super().__init__()
        self.mixer, self.cross, self.mlp = mixer, CrossAttention(width, heads), Mlp(width)

    def forward(
        self,
        x: Float[Tensor, "b n w"],
        modulation: Float[Tensor, "b 6*w"],
        context: Float[Tensor, "b l w"],
        mask: Bool[Tensor, "b l"],
    ) -> Float[Tensor, "b n w"]:
        shift1, scale1, shift2, scale2, shift3, scale3 = modulation[:, None].chunk(6, dim=-1)
        x = x + self.mixer(normed(x) * (1 + scale1) + shift1)
        x = x + self.cross(normed(x) * (1 + scale2) + shift2, context, mask)
        return x + self.mlp(normed(x) * (1 + scale3) + shift3)


class OwnModulation(nn.Module):
    """Shifts and scales of every block by a matrix of its own."""

    def __init__(self, depth: int, width: int):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, 6 * width) for _ in range(depth))

    def forward(self, c: Float[Tensor, "b w"]) -> list[Float[Tensor, "b 6*w"]]:
        return [layer(c) for layer in self.layers]

    def zero(self) -> None:
        """All shifts and scales begin as 0."""
        for layer in self.layers:
            nn.init.zeros_(layer.weight)


class SharedModulation(nn.Module):
    """One matrix for all blocks, and in each a low-rank update: W c + U_i V_i c + b_i."""

    def __init__(self, depth: int, width: int, rank: int):
        super().__init__()
        self.shared = nn.Linear(width, 6 * width, bias=False)
        self.down = nn.ModuleList(nn.Linear(width, rank, bias=False) for _ in range(depth))
        self.up = nn.ModuleList(nn.Linear(rank, 6 * width) for _ in range(depth))

    def forward(self, c: Float[Tensor, "b w"]) -> list[Float[Tensor, "b 6*w"]]:
        common = self.shared(c)
        return [common + up(down(c)) for down, up in zip(self.down, self.up, strict=True)]

    def zero(self) -> None:
        """All shifts and scales begin as 0."""
        for layer in (self.shared, *self.up):
            nn.init.zeros_(layer.weight)


class NanoDiT(nn.Module):
    """Network output for noisy patches at a noise level under a condition, in the space of patches.

    Class and image embedding join the time, which sets the modulations and is read as a token too; captions, patch tokens and
    joints are read as tokens. Where only some tokens are `visible`, the others bypass the blocks between the first and the last.
    """

    def __init__(self, config: Config, *, dimension: int, grid: tuple[int, int], shapes: Shapes, checkpointing: bool):
        super().__init__()
        width, depth, heads = config.dimensions
        self.width, self.grid, self.patch_size = width, grid, math.isqrt(dimension // CHANNELS)
        self.checkpointing = checkpointing
        self.embed = nn.Linear(dimension, width)
        positions = sine_positions(rows=grid[0], cols=grid[1], width=width)
        self.register_buffer("positions", positions, persistent=False)
        self.time = TimeEmbedding(width)
        self.reader = Reader(shapes, width)
        self.label = Label(shapes.classes, width) if shapes.classes else None
        self.blocks = nn.ModuleList(Block(_mixer(config.mixer, width, heads), width, heads) for _ in range(depth))
        shared = config.modulation == "shared"
        self.modulation = (
            SharedModulation(depth, width, config.modulation_rank) if shared else OwnModulation(depth, width)
        )
        self.out = nn.Linear(width, dimension)
        self.smooth = nn.Conv2d(CHANNELS, CHANNELS, kernel_size=3, padding=1)

    def forward(
        self, x: Float[Tensor, "b n D"], t: Float[Tensor, " b"], condition: Condition
    ) -> Float[Tensor, "b n D"]:
        c = self._vector(t, condition)
        context, mask = self._context(c, condition)
        tokens = self.embed(x) + self.positions
        first, *middle, last = starmap(_bound, zip(self.blocks, self.modulation(silu(c)), strict=True))
        tokens = self._through(first, tokens, context, mask)
        routed = tokens if condition.visible is None else tokens[:, condition.visible]
        for block in middle:
            routed = self._through(block, routed, context, mask)
        tokens = routed if condition.visible is None else tokens.index_copy(1, condition.visible, routed)
        tokens = self._through(last, tokens, context, mask)
        output = unpatchify(self.out(normed(tokens)), self.grid, self.patch_size)
        return patchify(output + self.smooth(output), self.patch_size).to(x.dtype)

    def _vector(self, t: Float[Tensor, " b"], condition: Condition) -> Float[Tensor, "b w"]:
        """Time, class and image embedding, as far as the network is conditioned on them."""
        c = self.time(TIME_SCALE * t)
        if self.reader.shapes.embedding:
            c = self.reader.embedding(condition) + c
        return c if self.label is None else c + self.label(condition)

    def _context(self, c: Float[Tensor, "b w"], condition: Condition) -> tuple[Tensor, Tensor]:
        """What the tokens attend to, and which of it is not padding."""
        shapes, reader = self.reader.shapes, self.reader
        context = [reader.caption(condition)] if shapes.caption[1] else []
        context.append(c[:, None])
        if shapes.patches[1]:
            context.append(reader.patches(condition))
        if shapes.joints:
            context.append(reader.joints(condition.joints, condition.shows("joints")))
        tokens = torch.cat(context, dim=1)
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=c.device)
        if shapes.caption[1]:  # the caption's length stays known where it is hidden, as in the public code
            mask = torch.cat([condition.mask, mask[:, condition.mask.shape[1] :]], dim=1)
        return tokens, mask

    def _through(self, block, tokens: Tensor, context: Tensor, mask: Tensor) -> Tensor:
        if self.checkpointing and torch.is_grad_enabled():
            return checkpoint(block, tokens, context, mask, use_reentrant=False)
        return block(tokens, context, mask)

    @torch.no_grad()
    def initialise(self, modulation_start: str, generator: torch.Generator | None) -> None:
        """Draws all weights as prx-tg does: matrices Xavier-uniform, biases 0, the last convolution 0, joints from N(0, 1).

        With a start of zero the modulations begin as 0.
        """
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight, generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.zeros_(self.smooth.weight)
        nn.init.zeros_(self.smooth.bias)
        self.reader.initialise(generator)
        if self.label is not None:
            self.label.initialise(generator)
        if modulation_start == "zero":
            self.modulation.zero()

    @torch.no_grad()
    def start_from(self, directions: Float[Tensor, "D k"]) -> None:
        """Starts the first k channels of the patch embedding as the k given orthonormal directions; none are frozen."""
        begin_as(self.embed, directions)


def _mixer(kind: str, width: int, heads: int) -> nn.Module:
    return SelfAttention(width, heads) if kind == "attention" else BidirectionalScan(width, heads)


def _bound(block: Block, modulation: Tensor):
    """The block with its modulation."""
    return lambda tokens, context, mask: block(tokens, modulation, context, mask)


def build(
    config: Config,
    *,
    dimension: int,
    grid: tuple[int, int],
    shapes: Shapes,
    generator: torch.Generator | None,
    checkpointing: bool,
) -> NanoDiT:
    """The network of a configuration with its weights drawn from the generator (None: torch's own)."""
    network = NanoDiT(config, dimension=dimension, grid=grid, shapes=shapes, checkpointing=checkpointing)
    network.initialise(config.modulation_start, generator)
    return network
