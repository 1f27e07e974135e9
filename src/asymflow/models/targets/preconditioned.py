"""EDM's preconditioning as a target [Karras et al. 2022]."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from asymflow.config.arm import Arm
from asymflow.flow.preconditioned import energy, recover
from asymflow.models.condition import Condition
from asymflow.models.velocity import VelocityModel
from asymflow.subspace.file import Subspace


class Preconditioned(VelocityModel):
    """A is the identity times the data's deviation, as A A^T of a share is l (1 - t) / t."""

    def __init__(self, network: nn.Module, A: Float[Tensor, "D D"], s: float, precision: torch.dtype):
        super().__init__(network, A, s, precision)
        self.deviation = 1.0 if A.is_meta else A[0, 0].item()

    def seen(self, x_t: Tensor, t: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
        return x_t / energy(t, self.deviation).sqrt(), t

    def velocity(self, predicted: Tensor, x_t: Tensor, t: Tensor, sigma_min: float) -> Tensor:
        return recover(predicted, x_t, t, self.deviation)


def subspace(arm: Arm, fitted: Subspace) -> Float[Tensor, "D D"]:
    """The identity, as long as the deviation: that of the configuration, or the root mean square of the training patches."""
    deviation = arm.target.deviation or math.sqrt(fitted.spectrum.mean().item())
    return deviation * torch.eye(len(fitted.basis))


def build(arm: Arm, network: nn.Module, A: Float[Tensor, "D D"], s: float, precision: torch.dtype) -> Preconditioned:
    """The model of the full velocity."""
    return Preconditioned(network, A, s, precision)
