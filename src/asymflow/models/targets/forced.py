"""x_0-prediction behind a low-pass that opens with time: Spectral Forcing [2606.15236]."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from asymflow.config.arm import Arm
from asymflow.flow.forcing import low_pass
from asymflow.models.condition import Condition
from asymflow.models.velocity import VelocityModel
from asymflow.subspace.file import Subspace
from asymflow.subspace.patches import patchify, unpatchify


class Forced(VelocityModel):
    """Only what the network sees is changed; the recovery takes the whole noisy image."""

    def seen(self, x_t: Tensor, t: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
        patch = math.isqrt(len(self.A) // 3)
        images = unpatchify(x_t, condition.grid, patch)
        return patchify(low_pass(images, t), patch), t


def subspace(arm: Arm, fitted: Subspace) -> Float[Tensor, "D 0"]:
    """A of rank 0."""
    return fitted.columns(0)


def build(arm: Arm, network: nn.Module, A: Float[Tensor, "D 0"], s: float, precision: torch.dtype) -> Forced:
    """The model of the full velocity."""
    return Forced(network, A, s, precision)
