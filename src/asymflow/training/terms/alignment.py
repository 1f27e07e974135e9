"""Representation alignment (REPA): features inside the network are aligned with those that a teacher sees in the clean image."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from asymflow.config.arm import Arm
from asymflow.config.losses import Alignment
from asymflow.models.velocity import VelocityModel
from asymflow.training.example import Example
from asymflow.training.features import Compared, Teacher, alignment_loss, teacher_of
from asymflow.training.objective import Needs


def weight(alignment: Alignment, progress: float) -> float:
    """The weight after a share of the training: constant, then falling linearly to zero between two shares."""
    start, end = alignment.fades
    if progress < start or start == end == 1:
        return alignment.weight
    return alignment.weight * max(0.0, (end - progress) / (end - start)) if end > start else 0.0


def projector(inputs: int, width: int | None, outputs: int, generator: torch.Generator) -> nn.Module:
    """What reads the teacher's features out of the network's: three layers with SiLU between, biases from 0, or one matrix."""
    if width is None:
        layers = [nn.Linear(inputs, outputs, bias=False)]
    else:
        layers = [nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, outputs)]
    for layer in layers[::2]:
        nn.init.xavier_uniform_(layer.weight, generator=generator)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


class AlignmentTerm(nn.Module):
    """The alignment of the image tokens after one block with the teacher's tokens, which must be the same grid.

    The projector is trained along, in float32, and is not part of the model.
    """

    def __init__(self, alignment: Alignment, model: VelocityModel, teacher: Teacher | None, projector: nn.Module):
        super().__init__()
        self.alignment, self.projector = alignment, projector
        self.compared = Compared(model, alignment.block, teacher)

    def forward(self, model: VelocityModel, example: Example, u_hat: Tensor) -> dict[str, Float[Tensor, ""]]:
        features, tokens = self.compared(example)
        with torch.autocast(example.x_0.device.type, enabled=False):
            loss = alignment_loss(self.projector(features), tokens)
        return {"alignment": weight(self.alignment, example.progress) * loss}


def build(arm: Arm, model: VelocityModel, needs: Needs) -> AlignmentTerm:
    """The term with its teacher and a projector whose weights are drawn from the seed."""
    alignment = arm.losses.alignment
    teacher, outputs = teacher_of(alignment.teacher, arm, needs)
    generator = torch.Generator().manual_seed(needs.seed)
    made = projector(model.network.width, alignment.projector, outputs, generator)
    return AlignmentTerm(alignment, model, teacher, made)
