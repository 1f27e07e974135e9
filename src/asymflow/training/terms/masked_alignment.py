"""PixelREPA: alignment by an adapter of transformer blocks that sees the features with holes [arXiv 2603.14366].

What reads the teacher's tokens out of features token by token can do so without them meaning more; an adapter that must fill in
hidden ones cannot. The network itself sees all of its tokens.

Letters in shapes: b images, n tokens, w channels of the network, e channels of the teacher.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import silu

from asymflow.config.arm import Arm
from asymflow.config.losses import MaskedAlignment
from asymflow.models.condition import Condition
from asymflow.models.jit import Block, JiT
from asymflow.models.layers import TimeEmbedding
from asymflow.models.reader import Label
from asymflow.models.velocity import VelocityModel
from asymflow.training.example import Example
from asymflow.training.features import Compared, Teacher, alignment_loss, teacher_of
from asymflow.training.objective import Needs


def with_holes(
    features: Float[Tensor, "b n w"], hidden: Bool[Tensor, "b n"], mask: Float[Tensor, " w"]
) -> Float[Tensor, "b n w"]:
    """The features with the mask token in place of hidden ones."""
    return torch.where(hidden[..., None], mask, features)


class Adapter(nn.Module):
    """Blocks of a JiT at its width, with a time, classes and class tokens of their own, from features to the teacher's channels.

    A head (Linear, LayerNorm, SiLU, Linear) follows only where the channels differ. The blocks begin as the identity.
    """

    def __init__(self, network: JiT, blocks: int, outputs: int):
        super().__init__()
        width, count = network.context.shape[1], network.context.shape[0]
        heads = network.blocks[0].attention.heads
        self.time, self.label = TimeEmbedding(width), Label(network.label.table.num_embeddings - 1, width)
        self.context, self.mask = nn.Parameter(torch.empty(count, width)), nn.Parameter(torch.empty(width))
        self.blocks = nn.ModuleList(Block(width=width, heads=heads, dropout=0.0) for _ in range(blocks))
        layers = [nn.Linear(width, width), nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, outputs)]
        self.head = nn.Identity() if outputs == width else nn.Sequential(*layers)
        # what has joined has no place in the grid, whatever it is: as many of the network's as there are class tokens here
        self.register_buffer("table", network.table[:, network.prefix - count :], persistent=False)

    def forward(
        self, shown: Float[Tensor, "b n w"], t: Float[Tensor, " b"], condition: Condition
    ) -> Float[Tensor, "b n e"]:
        label = self.label(condition)
        c = silu(self.time(t) + label)
        tokens = torch.cat([label[:, None] + self.context, shown], dim=1)
        for block in self.blocks:
            tokens = block(tokens, c, self.table)
        return self.head(tokens[:, len(self.context) :])

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Draws all weights as JiT does; the mask token as its class tokens, from N(0, 0.02^2)."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight, generator=generator)
                nn.init.zeros_(module.bias)
        self.label.initialise(generator)
        for weight in (self.time.mlp[0].weight, self.time.mlp[2].weight, self.context, self.mask):
            nn.init.normal_(weight, std=0.02, generator=generator)
        for block in self.blocks:
            nn.init.zeros_(block.modulation.weight)


class MaskedAlignmentTerm(nn.Module):
    """1 - cosine between what the adapter makes of features with holes and the teacher's tokens, the hidden ones included.

    The adapter is trained along, in float32, and is not part of the model.
    """

    def __init__(self, alignment: MaskedAlignment, model: VelocityModel, teacher: Teacher, adapter: Adapter):
        super().__init__()
        self.alignment, self.adapter = alignment, adapter
        self.compared = Compared(model, alignment.block, teacher)

    def forward(self, model: VelocityModel, example: Example, u_hat: Tensor) -> dict[str, Float[Tensor, ""]]:
        features, tokens = self.compared(example)
        hidden = torch.rand(features.shape[:2], device=features.device) < self.alignment.hidden
        with torch.autocast(example.x_0.device.type, enabled=False):
            shown = with_holes(features, hidden, self.adapter.mask)
            loss = alignment_loss(self.adapter(shown, example.t, example.condition), tokens)
        return {"masked_alignment": self.alignment.weight * loss}


def build(arm: Arm, model: VelocityModel, needs: Needs) -> MaskedAlignmentTerm:
    """The term with its teacher and an adapter whose weights are drawn from the seed."""
    alignment = arm.losses.masked_alignment
    teacher, outputs = teacher_of(alignment.teacher, arm, needs)
    adapter = Adapter(model.network, alignment.adapter_blocks, outputs)
    adapter.initialise(torch.Generator().manual_seed(needs.seed))
    return MaskedAlignmentTerm(alignment, model, teacher, adapter)
