"""k-Diff: one share of the noise in every direction, given or learnt [2601.21419]."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from asymflow.config.arm import Arm
from asymflow.flow.shares import velocity_of
from asymflow.models.velocity import VelocityModel
from asymflow.subspace.file import Subspace


class Isotropic(VelocityModel):
    """The share is the squared length of A's columns, or what the network carries as `logit`: s = exp(-logit) = (1 - k) / k,
    k = sigmoid(logit)."""

    def velocity(self, predicted: Tensor, x_t: Tensor, t: Tensor, sigma_min: float) -> Tensor:
        learnt = hasattr(self.network, "logit")
        s = torch.exp(-self.network.logit) if learnt else self.A[0, 0].square()
        return velocity_of(predicted, x_t, t, s, sigma_min)

    def numbers(self) -> dict[str, float]:
        """k, where it is learnt."""
        return {"k": self.network.logit.sigmoid().item()} if hasattr(self.network, "logit") else {}


def subspace(arm: Arm, fitted: Subspace) -> Float[Tensor, "D D"]:
    """A of a scaled identity: A A^T = s I."""
    return math.sqrt(arm.target.share) * torch.eye(len(fitted.basis))


def build(arm: Arm, network: nn.Module, A: Float[Tensor, "D D"], s: float, precision: torch.dtype) -> Isotropic:
    """The model of the full velocity; where the share is learnt, its logit joins the network's parameters."""
    if arm.target.learnt:
        network.register_parameter("logit", nn.Parameter(torch.tensor(-math.log(arm.target.share))))
    return Isotropic(network, A, s, precision)
