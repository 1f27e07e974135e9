"""The baseline with a wide decoder head: velocity prediction in pixels, by a few wide blocks behind the finetuned network.

The network's own last layers are left out; what they would read becomes the condition of the head, token by token, and the head
reads the noisy patches once more. So noise reaches the output without going through the narrow network.
[Wang et al. 2025 (DDT); Zheng et al. 2025 (RAE); AsymFlow, appendix B.2]

Letters in shapes: b images, n tokens, d numbers of a patch, e channels of the network, w of the head.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu

from asymflow.models.layers import Attention, RMSNorm, SwiGLU, rotary_angles


class HeadBlock(nn.Module):
    """Attention and MLP, each as x + gate * f(norm(x) * (1 + scale) + shift), with a modulation of every token's own."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.norm2 = RMSNorm(width), RMSNorm(width)
        self.attention, self.mlp = Attention(width, heads), SwiGLU(width, dropout=0.0)
        self.modulation = nn.Linear(width, 6 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(
        self, x: Float[Tensor, "b n w"], c: Float[Tensor, "b n w"], table: Float[Tensor, "2 n c"]
    ) -> Float[Tensor, "b n w"]:
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(c).chunk(6, dim=-1)
        x = x + gate1 * self.attention(self.norm1(x) * (1 + scale1) + shift1, table)
        return x + gate2 * self.mlp(self.norm2(x) * (1 + scale2) + shift2)


class DecoderHead(nn.Module):
    """Patches and the network's tokens to a velocity of every patch; the last layer starts at zero."""

    def __init__(self, *, patch: int, network: int, width: int, heads: int, blocks: int):
        super().__init__()
        self.heads = heads
        self.embed = nn.Linear(patch, width)
        self.condition = nn.Linear(network, width)
        self.blocks = nn.ModuleList(HeadBlock(width, heads) for _ in range(blocks))
        self.norm = RMSNorm(width)
        self.modulation = nn.Linear(width, 2 * width)
        self.linear = nn.Linear(width, patch)
        for layer in (self.modulation, self.linear):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self, x: Float[Tensor, "b n d"], tokens: Float[Tensor, "b n e"], positions: Float[Tensor, "n 4"]
    ) -> Float[Tensor, "b n d"]:
        hidden, c = self.embed(x), silu(self.condition(tokens))
        table = rotary_angles(positions[:, 1], positions[:, 2], hidden.shape[-1] // self.heads)
        for block in self.blocks:
            hidden = block(hidden, c, table)
        shift, scale = self.modulation(c).chunk(2, dim=-1)
        return self.linear(self.norm(hidden) * (1 + scale) + shift)
