"""What alignment compares: features inside a network, and what a teacher sees in the clean image at the same places.

Letters in shapes: b images, n tokens, w channels of the network, e channels of the teacher.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from asymflow.config.arm import Arm
from asymflow.models.velocity import VelocityModel
from asymflow.training.example import Example
from asymflow.training.objective import Needs
from asymflow.training.teachers import DINOV2, DinoTeacher, LocalTeacher

# teacher(pixels (b, 3, h, w) in [-1, 1]) -> tokens (b, n, e); it has `width` channels
Teacher = Callable[[Tensor], Tensor]


def alignment_loss(projected: Float[Tensor, "b n e"], tokens: Float[Tensor, "b n e"]) -> Float[Tensor, ""]:
    """The mean of 1 - cosine between projected features and the teacher's tokens.        [REPA, section 3]

    From 0 (aligned) to 2. The magnitude of either side does not matter.
    """
    return 1 - cosine_similarity(projected, tokens, dim=-1).mean()


def teacher_of(name: str, arm: Arm, needs: Needs) -> tuple[Teacher | None, int]:
    """The teacher of that name and its channels; None: `embedded`, the tokens that the example has of its own."""
    if name == "embedded":
        return None, needs.patch_tokens
    if name == "local":
        teacher = LocalTeacher.load(needs.evaluator, needs.device)
    else:
        teacher = DinoTeacher.load(DINOV2, arm.representation.patch_size, needs.device)
    return teacher, teacher.width


class Compared:
    """The features of the image tokens after one block, and the teacher's tokens of the same places.

    It is neither trained nor part of a checkpoint. Without a teacher the tokens are the example's own. Raises ValueError when the
    teacher has another number of tokens than the image.
    """

    def __init__(self, model: VelocityModel, block: int, teacher: Teacher | None):
        self.teacher = teacher
        model.network.blocks[block - 1].register_forward_hook(self._keep)

    def _keep(self, block: nn.Module, inputs: tuple[Tensor, ...], output: Tensor | tuple[Tensor, ...]) -> None:
        self.features = output[-1] if isinstance(output, tuple) else output  # FLUX.2's first blocks give text and image

    def __call__(self, example: Example) -> tuple[Float[Tensor, "b n w"], Float[Tensor, "b n e"]]:
        """Features, in float32, and tokens of the last forward pass of the model, which must have been that of the example."""
        tokens = self._tokens(example)
        return self.features[:, -tokens.shape[1] :].float(), tokens  # what has joined the image tokens is before them

    @torch.no_grad()
    def _tokens(self, example: Example) -> Float[Tensor, "b n e"]:
        """The teacher's tokens at the places that have gone through the block."""
        tokens = example.patch_tokens if self.teacher is None else self.teacher(example.pixels)
        if tokens.shape[1] != example.x_0.shape[1]:
            raise ValueError(
                f"losses.alignment compares each of the {example.x_0.shape[1]} tokens of an image with one of its teacher's,"
                f" which has {tokens.shape[1]} of them; take a teacher, or a patch_size, with the same grid"
            )
        visible = example.condition.visible
        routed = visible is not None and self.features.shape[1] < tokens.shape[1]
        return tokens[:, visible] if routed else tokens
