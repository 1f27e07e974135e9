"""Shares of the noise that follow the spectrum of the patches."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from asymflow.config.arm import Arm
from asymflow.flow.path import logit_normal_time, shift_time
from asymflow.flow.shares import least_copying, recover
from asymflow.models.velocity import VelocityModel
from asymflow.subspace.file import Subspace

LEVELS = 2001  # noise levels of the quadrature over the training's law
ORDER = 0  # seed of the shuffled order


class Spectral(VelocityModel):
    """Column i of A is sqrt(s_i) b_i: A A^T = S."""

    def __init__(self, network: nn.Module, A: Float[Tensor, "D K"], s: float, precision: torch.dtype):
        super().__init__(network, A, s, precision)
        lengths = A.norm(dim=0)
        self.register_buffer("B", A / lengths, persistent=False)
        self.register_buffer("shares", lengths.square(), persistent=False)

    def velocity(self, predicted: Tensor, x_t: Tensor, t: Tensor, sigma_min: float) -> Tensor:
        return recover(predicted, x_t, t, self.B, self.shares, sigma_min)


def subspace(arm: Arm, fitted: Subspace) -> Float[Tensor, "D K"]:
    """The directions, each as long as the root of its share; those without a share are left out."""
    t, weights = levels(arm.training.time_mean, arm.training.time_std, arm.training.shift)
    shares, basis = least_copying(fitted.spectrum, t, weights), fitted.basis
    if arm.target.shuffled:
        basis = basis[:, torch.randperm(basis.shape[1], generator=torch.Generator().manual_seed(ORDER))]
    return (basis * shares.sqrt())[:, shares > 0].float()


def levels(mean: float, std: float, shift: float) -> tuple[Float[Tensor, "m"], Float[Tensor, "m"]]:
    """Noise levels of a training's law, and weights that make sums over them expectations: midpoints of equal probability."""
    middles = (torch.arange(LEVELS, dtype=torch.float64) + 0.5) / LEVELS
    z = torch.special.ndtri(middles)
    return shift_time(logit_normal_time(z, mean, std), shift), torch.full((LEVELS,), 1 / LEVELS, dtype=torch.float64)


def build(arm: Arm, network: nn.Module, A: Float[Tensor, "D K"], s: float, precision: torch.dtype) -> Spectral:
    """The model of the full velocity."""
    return Spectral(network, A, s, precision)
