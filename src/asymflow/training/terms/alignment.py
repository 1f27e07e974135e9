"""Representation alignment (REPA): features inside the network are aligned with those that a teacher sees in the clean image.

Letters in shapes: b images, n tokens, e channels of the teacher.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from asymflow.config.arm import Arm
from asymflow.config.losses import Alignment
from asymflow.models.velocity import VelocityModel
from asymflow.training.example import Example
from asymflow.training.objective import Needs
from asymflow.training.teachers import DINOV2, DinoTeacher, LocalTeacher

# teacher(pixels (b, 3, h, w) in [-1, 1]) -> tokens (b, n, e), which takes no gradient
Teacher = Callable[[Tensor], Tensor]


def alignment_loss(projected: Float[Tensor, "b n e"], tokens: Float[Tensor, "b n e"]) -> Float[Tensor, ""]:
    """The mean of 1 - cosine between projected features and the teacher's tokens.        [REPA, section 3]

    From 0 (aligned) to 2. The magnitude of either side does not matter.
    """
    return 1 - cosine_similarity(projected, tokens, dim=-1).mean()


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

    The projector is trained along, in float32, and is not part of the model. Without a teacher the tokens are the example's own.
    Raises ValueError when the teacher has another number of tokens.
    """

    def __init__(self, alignment: Alignment, model: VelocityModel, teacher: Teacher | None, projector: nn.Module):
        super().__init__()
        self.alignment, self.projector = alignment, projector
        self._teacher = (teacher,)  # out of sight: neither trained nor part of a checkpoint
        model.network.blocks[alignment.block - 1].register_forward_hook(self._keep)

    def _keep(self, block: nn.Module, inputs: tuple[Tensor, ...], output: Tensor | tuple[Tensor, ...]) -> None:
        self.features = output[-1] if isinstance(output, tuple) else output  # FLUX.2's first blocks give text and image

    def forward(self, model: VelocityModel, example: Example, u_hat: Tensor) -> dict[str, Float[Tensor, ""]]:
        tokens = self._wanted(example)
        n = tokens.shape[1]  # what has joined the image tokens stands before them
        with torch.autocast(example.x_0.device.type, enabled=False):
            loss = alignment_loss(self.projector(self.features[:, -n:].float()), tokens)
        return {"alignment": weight(self.alignment, example.progress) * loss}

    def _wanted(self, example: Example) -> Float[Tensor, "b n e"]:
        """The teacher's tokens at the places that have gone through the block."""
        (teacher,) = self._teacher
        tokens, visible = (
            example.patch_tokens if teacher is None else teacher(example.pixels),
            example.condition.visible,
        )
        if tokens.shape[1] != example.x_0.shape[1]:
            raise ValueError(
                f"losses.alignment compares each of the {example.x_0.shape[1]} tokens of an image with one of its teacher's,"
                f" which has {tokens.shape[1]} of them; take a teacher, or a patch_size, with the same grid"
            )
        routed = visible is not None and self.features.shape[1] < tokens.shape[1]
        return tokens[:, visible] if routed else tokens


def build(arm: Arm, model: VelocityModel, needs: Needs) -> AlignmentTerm:
    """The term with its teacher and a projector whose weights are drawn from the seed."""
    alignment, teacher, width = arm.losses.alignment, None, needs.patch_tokens
    if alignment.teacher == "local":
        teacher = LocalTeacher.load(needs.evaluator, needs.device)
        width = teacher.width
    elif alignment.teacher == "dinov2":
        teacher = DinoTeacher.load(DINOV2, arm.representation.patch_size, needs.device)
        width = teacher.width
    generator = torch.Generator().manual_seed(needs.seed)
    return AlignmentTerm(
        alignment, model, teacher, projector(model.network.width, alignment.projector, width, generator)
    )
