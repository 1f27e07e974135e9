"""U-ViT's long skips on JiT: detail, and noise, has a way around the middle blocks [Bao et al. 2023].

The image tokens that enter block i of the first half join those that enter block depth - 1 - i; an odd depth leaves a block
in the middle without. U-ViT skips what leaves block i: with no block in the middle, the innermost pair would be one tensor
twice, and the outermost skip begins one block later. Tokens of class and captions enter on the way and have no mirror image:
they pass by.

Shapes: b images, n tokens of the image, w channels of a token.
"""

from collections.abc import Iterable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear

from asymflow.config.jit import Size
from asymflow.models.condition import Condition, Shapes
from asymflow.models.jit import Block, JiT, built


class Join(nn.Module):
    """U-ViT's matrix of tokens h and a skip s, as h + W [h, s] + b with W and b from 0: it begins as h alone.

    The sum keeps the tokens between blocks in float32 under autocast.
    """

    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width, 2 * width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, h: Float[Tensor, "b n w"], s: Float[Tensor, "b n w"]) -> Float[Tensor, "b n w"]:
        return h + linear(torch.cat([h, s], dim=-1), self.weight, self.bias)


class UViT(JiT):
    """JiT with long skips; from the same generator it begins as the JiT of its dimensions, weight for weight."""

    def __init__(self, size: Size, *, dimension: int, grid: tuple[int, int], shapes: Shapes, checkpointing: bool):
        super().__init__(size, dimension=dimension, grid=grid, shapes=shapes, checkpointing=checkpointing)
        self.joins = nn.ModuleList(Join(size.width) for _ in range(size.depth // 2))

    def _through_all(
        self, blocks: Iterable[Block], tokens: Tensor, c: Tensor, vector: Tensor | None, condition: Condition
    ) -> Tensor:
        n, skipped, first = tokens.shape[1], [], len(self.blocks) - len(self.joins)
        for index, block in enumerate(blocks):
            tokens = self._entering(index, tokens, vector, condition)
            others, image = tokens[:, :-n], tokens[:, -n:]
            if index < len(self.joins):
                skipped.append(image)
            elif index >= first:
                tokens = torch.cat([others, self.joins[index - first](image, skipped.pop())], dim=1)
            tokens = self._through(block, tokens, c)
        return tokens[:, -n:]


build = partial(built, UViT)
