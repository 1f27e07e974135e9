"""The layers that transformers over patch tokens are made of: norm, positions, attention, gated MLP, time, a start from PCA.

They run in float32, in float64, and under bfloat16 autocast with float32 parameters, eager or compiled.
Shapes: b images, n tokens, w channels of a token, h heads, c = w / h channels of a head.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import rms_norm, scaled_dot_product_attention, silu


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + 1e-6) over the last dimension, times a learned weight that starts at 1.

    torch's `rms_norm` takes its statistics in float32 whatever the dtype of x. The weight multiplies afterwards, in its
    own dtype: within `nn.RMSNorm`, a float32 weight on bfloat16 tokens leaves torch's fast path and warns.
    """

    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Float[Tensor, "*shape w"]) -> Float[Tensor, "*shape w"]:
        return rms_norm(x, self.weight.shape, eps=1e-6) * self.weight


def sine_positions(*, rows: int, cols: int, width: int) -> Float[Tensor, "{rows*cols} {width}"]:
    """Fixed position embedding of a grid in raster order, the one of MAE and JiT.

    [sin(col f), cos(col f), sin(row f), cos(row f)] with f_i = 10000^(-4i/w), i < w/4. The column comes first.
    """
    frequencies = 10_000.0 ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    row, col = _raster(rows, cols)
    angles = [position[:, None] * frequencies for position in (col, row)]
    return torch.cat([part for angle in angles for part in (angle.sin(), angle.cos())], dim=-1).float()


def rotary_table(
    *, rows: int, cols: int, channels: int, prefix: int
) -> Float[Tensor, "2 {prefix+rows*cols} {channels}"]:
    """Cosines and signed sines that `rotate` needs for p prefix tokens and the n = rows * cols tokens of a grid.

    Channels 2j and 2j+1 are one pair and turn by the same angle: row * f_j in the first half of the channels, col * f_j
    in the second, f_j = 10000^(-4j/c). Prefix tokens have no place in the grid and turn by 0.
    """
    still = torch.zeros(prefix, dtype=torch.float64)
    return torch.cat([rotary_angles(still, still, channels), rotary_angles(*_raster(rows, cols), channels)], dim=1)


def rotary_angles(row: Float[Tensor, "n"], col: Float[Tensor, "n"], channels: int) -> Float[Tensor, "2 n {channels}"]:
    """The same for tokens at any places."""
    frequencies = 10_000.0 ** (-torch.arange(channels // 4, dtype=torch.float64, device=row.device) / (channels // 4))
    angles = torch.cat([row[:, None] * frequencies, col[:, None] * frequencies], dim=-1)  # (n, c/2)
    angles = angles.repeat_interleave(2, dim=-1)
    sign = torch.tensor([-1.0, 1.0], device=row.device).repeat(channels // 2)
    return torch.stack([angles.cos(), angles.sin() * sign]).float()


def _raster(rows: int, cols: int) -> tuple[Float[Tensor, " {rows*cols}"], Float[Tensor, " {rows*cols}"]]:
    """Row and column of every token of a grid in raster order."""
    row, col = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
    return row.flatten().double(), col.flatten().double()


def rotate(x: Float[Tensor, "*shape n c"], table: Float[Tensor, "2 n c"]) -> Float[Tensor, "*shape n c"]:
    """Rotary position embedding: each pair (x_2j, x_2j+1) turned by the angle in the table [RoFormer, eq. 34].

    The product of two rotated tokens depends on the difference of their positions alone.
    """
    cos, sin = table
    swapped = x.unflatten(-1, (-1, 2)).flip(-1).flatten(-2)
    return x * cos + swapped * sin  # the sign of -x_2j+1 is in the table


def attend(
    q: Float[Tensor, "b h n c"], k: Float[Tensor, "b h n c"], v: Float[Tensor, "b h n c"]
) -> Float[Tensor, "b h n c"]:
    """softmax(q k^T / sqrt(c)) v.

    On processors the matrices are written out: there the backward pass of torch's fused kernel is slow in bfloat16, and
    over the few tokens of a small image takes as long as all other matrix products of the network together.
    """
    if q.device.type == "cpu":
        return (q * q.shape[-1] ** -0.5 @ k.mT).softmax(-1) @ v
    return scaled_dot_product_attention(q, k, v)


class Attention(nn.Module):
    """Attention of tokens to each other, queries and keys normalised and then rotated by position.

    The products run in the dtype of autocast. JiT and LakonLab take them in float32 against loss spikes; as queries and
    keys are normalised, the logits stay within sqrt(c) times the learned weights, and bfloat16 is several times faster.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.q_norm = RMSNorm(width // heads)
        self.k_norm = RMSNorm(width // heads)
        self.out = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "b n w"], table: Float[Tensor, "2 n c"]) -> Float[Tensor, "b n w"]:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (b, h, n, c) each
        x = attend(rotate(self.q_norm(q), table), rotate(self.k_norm(k), table), v)
        return self.out(x.transpose(1, 2).flatten(2))


class SwiGLU(nn.Module):
    """W3 dropout(silu(W1 x) * W2 x), hidden width int(2/3 * int(4 w)) if none is given [Shazeer 2020, eq. 6]."""

    def __init__(self, width: int, dropout: float, hidden: int | None = None):
        super().__init__()
        hidden = hidden or int(2 / 3 * int(4 * width))
        self.w12 = nn.Linear(width, 2 * hidden)
        self.dropout = nn.Dropout(dropout)
        self.w3 = nn.Linear(hidden, width)

    def forward(self, x: Float[Tensor, "b n w"]) -> Float[Tensor, "b n w"]:
        gate, value = self.w12(x).chunk(2, dim=-1)
        return self.w3(self.dropout(silu(gate) * value))


class TimeEmbedding(nn.Module):
    """Embedding of the noise level t: 128 cosines and 128 sines of t * f_i, f_i = 10000^(-i/128), through a small MLP.

    t goes in as it is, in [0, 1]: JiT and AsymFlow do not multiply it by 1000 as networks over 1000 steps do.
    """

    def __init__(self, width: int):
        super().__init__()
        self.register_buffer("frequencies", 10_000.0 ** (-torch.arange(128) / 128), persistent=False)
        self.mlp = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Float[Tensor, " b"]) -> Float[Tensor, "b w"]:
        angles = t[:, None] * self.frequencies
        return self.mlp(torch.cat([angles.cos(), angles.sin()], dim=-1))


@torch.no_grad()
def begin_as(layer: nn.Linear, directions: Float[Tensor, "d k"]) -> None:
    """Makes the first k outputs of a layer of patches the k given orthonormal directions of patch space.

    The gain sqrt(2 d / (d + outputs)) gives them the mean square of the Xavier-uniform rows that they replace [LakonLab; not in
    the paper]. Raises ValueError if the layer has fewer than k outputs.
    """
    outputs, d = layer.weight.shape
    k = directions.shape[1]
    if k > outputs:
        raise ValueError(
            f"{k} directions do not fit into the {outputs} channels of the patch embedding; give at most as many"
        )
    layer.weight[:k] = directions.T * math.sqrt(2 * d / (d + outputs))
