"""iREPA [arXiv 2512.10794]: alignment by a projector that sees neighbours, with tokens from which what they share is taken.

Letters in shapes: b images, n tokens, e channels of the teacher.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from asymflow.config.arm import Arm
from asymflow.config.losses import SpatialAlignment
from asymflow.models.velocity import VelocityModel
from asymflow.training.example import Example
from asymflow.training.features import Compared, Teacher, alignment_loss, teacher_of
from asymflow.training.objective import Needs

SMALLEST = 1e-6  # beside the standard deviation, which is 0 where all tokens are alike


def contrasted(tokens: Float[Tensor, "b n e"], gamma: float) -> Float[Tensor, "b n e"]:
    """(tokens - gamma mean) / (std + 1e-6), mean and std over the tokens of each image, channel by channel."""
    return (tokens - gamma * tokens.mean(1, keepdim=True)) / (tokens.std(1, keepdim=True) + SMALLEST)


class SpatialAlignmentTerm(nn.Module):
    """1 - cosine between the features after one block, convolved over their grid, and the contrasted tokens of the teacher."""

    def __init__(self, alignment: SpatialAlignment, model: VelocityModel, teacher: Teacher, projector: nn.Conv2d):
        super().__init__()
        self.alignment, self.projector = alignment, projector
        self.compared = Compared(model, alignment.block, teacher)

    def forward(self, model: VelocityModel, example: Example, u_hat: Tensor) -> dict[str, Float[Tensor, ""]]:
        features, tokens = self.compared(example)
        with torch.autocast(example.x_0.device.type, enabled=False):
            projected = self.projector(features.mT.unflatten(2, example.condition.grid)).flatten(2).mT
            loss = alignment_loss(projected, contrasted(tokens, self.alignment.gamma))
        return {"spatial_alignment": self.alignment.weight * loss}


def build(arm: Arm, model: VelocityModel, needs: Needs) -> SpatialAlignmentTerm:
    """The term with its teacher and a 3 x 3 convolution drawn from the seed."""
    alignment = arm.losses.spatial_alignment
    teacher, outputs = teacher_of(alignment.teacher, arm, needs)
    projector = nn.Conv2d(model.network.width, outputs, kernel_size=3, padding=1)
    nn.init.xavier_uniform_(projector.weight, generator=torch.Generator().manual_seed(needs.seed))
    nn.init.zeros_(projector.bias)
    return SpatialAlignmentTerm(alignment, model, teacher, projector)
