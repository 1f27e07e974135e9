"""A state-space mixer of tokens: selective scans in both directions, in place of self-attention. [Dao and Gu 2024 (Mamba-2)]

Letters in shapes: b images, n tokens, w channels of a token, h heads, c = 2 w / h channels of a head, s numbers of a state.
"""

import importlib
import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad, silu, softplus

STATE = 16  # numbers of a head's state for each of its channels
REACH = 4  # tokens that the short convolution sees
CHUNK = 64  # tokens whose interactions are written out; between chunks only states pass
STEPS = (1e-3, 1e-1)  # step sizes at the start, spread logarithmically over the heads
KERNELS = "mamba_ssm.ops.triton.ssd_combined"  # the maintained package with GPU kernels of the same function

# scan(x, dt, a, B, C) -> y, see `selective_scan`
Scan = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def selective_scan(
    x: Float[Tensor, "b n h c"],
    dt: Float[Tensor, "b n h"],
    a: Float[Tensor, "h"],
    B: Float[Tensor, "b n s"],
    C: Float[Tensor, "b n s"],
    chunk: int = CHUNK,
) -> Float[Tensor, "b n h c"]:
    """The outputs of a linear recurrence whose decay and input depend on the token.        [Dao and Gu 2024, section 6]

        H_i = exp(dt_i a) H_{i-1} + dt_i B_i x_i^T,   y_i = H_i^T C_i,   H_0 = 0

    Within a chunk as matrix products over all pairs of tokens,
        y_i = sum_{j <= i} exp(sum_{j < k <= i} dt_k a) (C_i . B_j) dt_j x_j,
    and from chunk to chunk by the state. a < 0 < dt.
    """
    state, outputs = None, []
    for part in zip(*(v.split(chunk, dim=1) for v in (x, dt, B, C)), strict=True):
        y, state = _chunk(*part, a, state)
        outputs.append(y)
    return torch.cat(outputs, dim=1)


def _chunk(x: Tensor, dt: Tensor, B: Tensor, C: Tensor, a: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
    """The outputs of one chunk and the state (b, h, s, c) after it."""
    passed = (dt * a).cumsum(1).transpose(1, 2)  # (b, h, n), how far the decay has come
    between = passed[..., :, None] - passed[..., None, :]
    decay = between.masked_fill(_later(x.shape[1], x.device), float("-inf")).exp()  # (b, h, i, j)
    inputs = (dt[..., None] * x).transpose(1, 2)  # (b, h, n, c)
    y = (decay * (C @ B.mT)[:, None]) @ inputs
    left = (passed[..., -1:] - passed).exp()[..., None] * inputs  # what is left of each input after the chunk
    after = B.mT[:, None] @ left
    if state is not None:
        y = y + passed.exp()[..., None] * (C[:, None] @ state)
        after = after + passed[..., -1, None, None].exp() * state
    return y.transpose(1, 2), after


def _later(n: int, device: torch.device) -> Tensor:
    return torch.ones(n, n, dtype=torch.bool, device=device).triu(1)


def fastest(device: torch.device) -> Scan:
    """The kernels of mamba_ssm on a GPU where that package is installed, else `selective_scan`."""
    if device.type != "cuda":
        return selective_scan
    try:
        kernels = importlib.import_module(KERNELS)
    except ImportError:
        return selective_scan

    def scan(x: Tensor, dt: Tensor, a: Tensor, B: Tensor, C: Tensor) -> Tensor:
        return kernels.mamba_chunk_scan_combined(x, dt, a, B[:, :, None], C[:, :, None], CHUNK)

    return scan


class Direction(nn.Module):
    """One scan over the tokens in their order: a short causal convolution, then the recurrence, plus D x."""

    def __init__(self, inner: int, heads: int):
        super().__init__()
        self.inner, self.heads = inner, heads
        self.convolution = nn.Conv1d(inner + 2 * STATE, inner + 2 * STATE, REACH, groups=inner + 2 * STATE)
        rates = torch.logspace(*map(math.log10, STEPS), heads)
        self.step = nn.Parameter(rates.expm1().log())  # softplus of it is the rate
        self.decay = nn.Parameter(torch.arange(1, heads + 1).float().log())
        self.skip = nn.Parameter(torch.ones(heads))

    def forward(self, tokens: Float[Tensor, "b n i"], rates: Float[Tensor, "b n h"]) -> Float[Tensor, "b n o"]:
        mixed = silu(self.convolution(pad(tokens.mT, (REACH - 1, 0))).mT)
        x, B, C = mixed.split((self.inner, STATE, STATE), dim=-1)
        # the meta device, on which costs are counted, knows no autocast
        kind = tokens.device.type if torch.amp.is_autocast_available(tokens.device.type) else "cpu"
        with torch.autocast(kind, enabled=False):  # exponentials of sums need the weights' own precision
            x, B, C, rates = (v.to(self.step.dtype) for v in (x.unflatten(-1, (self.heads, -1)), B, C, rates))
            dt = softplus(rates + self.step)
            y = fastest(x.device)(x, dt, -self.decay.exp(), B, C) + self.skip[:, None] * x
        return y.flatten(2)


class BidirectionalScan(nn.Module):
    """Mixes tokens by a scan from the first to the last and one back, gated:  W_out (silu(z) * (forwards + backwards))."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        inner = 2 * width
        self.parts = (inner, inner + 2 * STATE, heads)
        self.enter = nn.Linear(width, sum(self.parts), bias=False)
        self.forwards, self.backwards = Direction(inner, heads), Direction(inner, heads)
        self.out = nn.Linear(inner, width, bias=False)

    def forward(self, x: Float[Tensor, "b n w"]) -> Float[Tensor, "b n w"]:
        gate, tokens, rates = self.enter(x).split(self.parts, dim=-1)
        back = self.backwards(tokens.flip(1), rates.flip(1)).flip(1)
        return self.out(silu(gate) * (self.forwards(tokens, rates) + back))
