"""NanoDiT, the network of prx-tg: a transformer over pixel patches that attends to captions and image embeddings.

What differs from a textbook DiT: three branches in each block (tokens among themselves, tokens and conditions, MLP) with a shift
and a scale each and no gates; the image embedding sets the modulation together with the time and is read as a token as well; the
image's own patch tokens may be a condition; and in training some tokens may bypass the middle blocks (TREAD).

Letters in shapes: b images, n = rows * cols tokens in raster order, v of them visible, D numbers of a patch, w channels of a
token, l text tokens, e their channels, g channels of the image embedding, q of its m patch tokens, k joints.
"""

from itertools import starmap

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm, scaled_dot_product_attention, silu
from torch.utils.checkpoint import checkpoint

from asymflow.config.nanodit import NanoDiT as Config
from asymflow.models.layers import TimeEmbedding, sine_positions
from asymflow.models.scan import BidirectionalScan
from asymflow.subspace.patches import patchify, unpatchify

MODALITIES = ("text", "cls", "patches", "joints")  # the columns of `present`
TIME_SCALE = 1000  # the time embedding takes t in thousandths, as networks over 1000 steps do
DETECTED = 0.05  # joints with less confidence count as undetected


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


class Joints(nn.Module):
    """Body joints as tokens: place and confidence through a small MLP plus what joint it is; undetected ones are null tokens."""

    def __init__(self, joints: int, width: int):
        super().__init__()
        self.place = nn.Sequential(nn.Linear(3, width), nn.GELU(), nn.Linear(width, width))
        self.kind = nn.Parameter(torch.empty(joints, width))
        self.null = nn.Parameter(torch.zeros(1, joints, width))

    def forward(self, joints: Float[Tensor, "b k 3"], present: Bool[Tensor, " b"]) -> Float[Tensor, "b k w"]:
        seen = (joints[..., 2:] >= DETECTED) & present[:, None, None]
        return torch.where(seen, self.place(joints) + self.kind, self.null)


class NanoDiT(nn.Module):
    """Network output for noisy patches, a noise level and conditions, in the space of patches.

    `present` says which conditions of each image are shown (`MODALITIES`); null tokens stand for the others. `visible` are the
    numbers of the tokens that go through all blocks, in order; the others bypass those between the first and the last.
    """

    def __init__(
        self, config: Config, *, grid: tuple[int, int], text: int, cls: int, patches: int, checkpointing: bool
    ):
        super().__init__()
        width, depth, heads = config.dimensions
        dimension = 3 * config.patch_size**2
        self.width, self.depth, self.grid, self.patch_size = width, depth, grid, config.patch_size
        self.checkpointing = checkpointing
        self.embed = nn.Linear(dimension, width)
        positions = sine_positions(rows=grid[0], cols=grid[1], width=width)
        self.register_buffer("positions", positions, persistent=False)
        self.time = TimeEmbedding(width)
        self.read_text, self.read_cls, self.read_patches = (nn.Linear(e, width) for e in (text, cls, patches))
        self.null_text = nn.Parameter(torch.zeros(1, 1, text))
        self.null_cls = nn.Parameter(torch.zeros(1, cls))
        self.null_patches = nn.Parameter(torch.zeros(1, 1, patches))
        self.joints = Joints(config.joints, width) if config.joints else None
        self.blocks = nn.ModuleList(Block(_mixer(config.mixer, width, heads), width, heads) for _ in range(depth))
        shared = config.modulation == "shared"
        self.modulation = (
            SharedModulation(depth, width, config.modulation_rank) if shared else OwnModulation(depth, width)
        )
        self.out = nn.Linear(width, dimension)
        self.smooth = nn.Conv2d(3, 3, kernel_size=3, padding=1)

    def forward(
        self,
        x: Float[Tensor, "b n D"],
        t: Float[Tensor, " b"],
        text: Float[Tensor, "b l e"],
        mask: Bool[Tensor, "b l"],
        cls: Float[Tensor, "b g"],
        patches: Float[Tensor, "b m q"],
        joints: Float[Tensor, "b k 3"],
        present: Bool[Tensor, "b 4"],
        visible: Int[Tensor, " v"],
    ) -> Float[Tensor, "b n D"]:
        has_text, has_cls, has_patches, has_joints = present.unbind(1)
        time = self.time(TIME_SCALE * t)
        c = self.read_cls(torch.where(has_cls[:, None], cls, self.null_cls)) + time
        context = [
            self.read_text(torch.where(has_text[:, None, None], text, self.null_text)),
            c[:, None],
            self.read_patches(torch.where(has_patches[:, None, None], patches, self.null_patches)),
        ]
        if self.joints is not None:
            context.append(self.joints(joints, has_joints))
        context = torch.cat(context, dim=1)
        # the caption's length stays known where it is hidden, as in the public code
        mask = torch.cat([mask, mask.new_ones(len(x), context.shape[1] - mask.shape[1])], dim=1)

        tokens = self.embed(x) + self.positions
        first, *middle, last = starmap(_bound, zip(self.blocks, self.modulation(silu(c)), strict=True))
        tokens = self._through(first, tokens, context, mask)
        routed = tokens[:, visible]
        for block in middle:
            routed = self._through(block, routed, context, mask)
        tokens = self._through(last, tokens.index_copy(1, visible, routed), context, mask)
        output = unpatchify(self.out(normed(tokens)), self.grid, self.patch_size)
        return patchify(output + self.smooth(output), self.patch_size).to(x.dtype)

    def _through(self, block, tokens: Tensor, context: Tensor, mask: Tensor) -> Tensor:
        if self.checkpointing and torch.is_grad_enabled():
            return checkpoint(block, tokens, context, mask, use_reentrant=False)
        return block(tokens, context, mask)

    @torch.no_grad()
    def initialise(self, start: str, generator: torch.Generator | None) -> None:
        """Draws all weights as prx-tg does: matrices Xavier-uniform, biases 0, the last convolution 0, joints from N(0, 1).

        With `start` zero the modulations begin as 0.
        """
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight, generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.zeros_(self.smooth.weight)
        nn.init.zeros_(self.smooth.bias)
        if self.joints is not None:
            nn.init.normal_(self.joints.kind, generator=generator)
        if start == "zero":
            self.modulation.zero()


def _mixer(kind: str, width: int, heads: int) -> nn.Module:
    return SelfAttention(width, heads) if kind == "attention" else BidirectionalScan(width, heads)


def _bound(block: Block, modulation: Tensor):
    """The block with its modulation."""
    return lambda tokens, context, mask: block(tokens, modulation, context, mask)


def build(
    config: Config,
    *,
    image_size: int,
    text: int,
    cls: int,
    patches: int,
    generator: torch.Generator | None,
    checkpointing: bool,
) -> NanoDiT:
    """The network of a configuration for square images and embeddings of the given channels, its weights drawn."""
    side, rest = divmod(image_size, config.patch_size)
    if rest:
        raise ValueError(
            f"image size {image_size} is not a multiple of patch_size {config.patch_size}; change either one"
        )
    network = NanoDiT(config, grid=(side, side), text=text, cls=cls, patches=patches, checkpointing=checkpointing)
    network.initialise(config.start, generator)
    return network
