"""Representation alignment (REPA): features inside the network are drawn towards those of a teacher."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from asymflow.config.repa import Repa
from asymflow.config.training import Training
from asymflow.models.velocity import VelocityModel
from asymflow.training.step import ClassExample, FlowMatching


def alignment_loss(projected: Float[Tensor, "b n e"], tokens: Float[Tensor, "b n e"]) -> Float[Tensor, ""]:
    """Minus the mean cosine between projected features and the teacher's tokens.        [REPA, section 3]

    From -1 (aligned) to 1. The magnitude of either side does not matter.
    """
    return -cosine_similarity(projected, tokens, dim=-1).mean()


def projector(inputs: int, width: int, outputs: int, generator: torch.Generator) -> nn.Sequential:
    """The three linear layers with SiLU between that read the teacher's features out of the network's; biases start at 0."""
    layers = nn.Sequential(
        nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, outputs)
    )
    for layer in layers[::2]:
        nn.init.xavier_uniform_(layer.weight, generator=generator)
        nn.init.zeros_(layer.bias)
    return layers


class Aligned(FlowMatching):
    """Flow matching plus the alignment of the image tokens after one block with the teacher's tokens.

    The teacher must see the image as the same grid of tokens. The projector is trained along, in float32, and is not part
    of the model. Raises ValueError when the network has fewer blocks.
    """

    def __init__(
        self, model: VelocityModel, training: Training, repa: Repa, teacher_width: int, generator: torch.Generator
    ):
        super().__init__(model, training)
        blocks = model.network.blocks
        if repa.block > len(blocks):
            raise ValueError(
                f"repa.block is {repa.block}, but the network has {len(blocks)} blocks; give a block from 1 to {len(blocks)}"
            )
        self.weight = repa.weight
        self.projector = projector(model.network.width, repa.width, teacher_width, generator)
        blocks[repa.block - 1].register_forward_hook(self._keep)

    def _keep(self, block: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self.features = output

    def forward(self, example: ClassExample) -> dict[str, Float[Tensor, ""]]:
        terms = super().forward(example)
        n = example.tokens.shape[1]  # class tokens, where they have joined, come first
        with torch.autocast(example.tokens.device.type, enabled=False):
            projected = self.projector(self.features[:, -n:].float())
            return terms | {"repa": self.weight * alignment_loss(projected, example.tokens)}
