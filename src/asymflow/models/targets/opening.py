"""A subspace that opens with time."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from asymflow.config.arm import Arm
from asymflow.flow.shares import opening, recover
from asymflow.models.velocity import VelocityModel
from asymflow.subspace.file import Subspace


class Opening(VelocityModel):
    """The share of the noise within the span of A moves from 0 to 1."""

    def velocity(self, predicted: Tensor, x_t: Tensor, t: Tensor, sigma_min: float) -> Tensor:
        return recover(predicted, x_t, t, self.A, opening(t), sigma_min)


def subspace(arm: Arm, fitted: Subspace) -> Float[Tensor, "D r"]:
    """A, as wide as the rank."""
    return fitted.columns(arm.target.rank)


def build(arm: Arm, network: nn.Module, A: Float[Tensor, "D r"], s: float, precision: torch.dtype) -> Opening:
    """The model of the full velocity."""
    return Opening(network, A, s, precision)
