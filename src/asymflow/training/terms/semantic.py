"""P-DINO: what a teacher sees in the predicted clean image against what it sees in the true one, at low noise [PixelGen].

Letters in shapes: b images, n tokens, e channels of the teacher.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from asymflow.config.arm import Arm
from asymflow.models.velocity import VelocityModel
from asymflow.training.example import Example
from asymflow.training.features import Teacher, teacher_of
from asymflow.training.objective import Needs
from asymflow.training.predicted import gated_mean, predicted_pixels


def dissimilarity(seen: Float[Tensor, "b n e"], true: Float[Tensor, "b n e"]) -> Float[Tensor, " b"]:
    """The mean over the tokens of 1 - cosine, image by image: from 0 (alike) to 2."""
    return 1 - cosine_similarity(seen, true, dim=-1).mean(1)


class SemanticTerm(nn.Module):
    """The mean dissimilarity of the images that the gate lets through. The gradient passes through the frozen teacher."""

    def __init__(self, arm: Arm, teacher: Teacher):
        super().__init__()
        self.arm, self.semantic = arm, arm.losses.semantic
        self._teacher = (teacher,)  # out of sight: neither trained nor part of a checkpoint

    def forward(self, model: VelocityModel, example: Example, u_hat: Tensor) -> dict[str, Float[Tensor, ""]]:
        with torch.autocast(example.x_0.device.type, enabled=False):
            predicted = predicted_pixels(example, u_hat, self.arm)
            loss = gated_mean(self._dissimilarities, predicted, example, self.semantic.gate)
        return {"semantic": self.semantic.weight * loss}

    def _dissimilarities(self, one: Float[Tensor, "b 3 H W"], other: Float[Tensor, "b 3 H W"]) -> Float[Tensor, " b"]:
        (teacher,) = self._teacher
        return dissimilarity(teacher(one), teacher(other))


def build(arm: Arm, model: VelocityModel, needs: Needs) -> SemanticTerm:
    """The term with its teacher."""
    teacher, _ = teacher_of(arm.losses.semantic.teacher, arm, needs)
    return SemanticTerm(arm, teacher)
