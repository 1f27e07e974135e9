"""The paper's target: noise in a subspace, data everywhere."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from asymflow.config.arm import Arm
from asymflow.models.velocity import VelocityModel
from asymflow.subspace.file import Subspace


def subspace(arm: Arm, fitted: Subspace) -> Float[Tensor, "D r"]:
    """A, as wide as the rank."""
    return fitted.columns(arm.target.columns(fitted.basis.shape[1]))


def build(arm: Arm, network: nn.Module, A: Float[Tensor, "D r"], s: float, precision: torch.dtype) -> VelocityModel:
    """The model of the full velocity."""
    return VelocityModel(network, A, s, precision)
