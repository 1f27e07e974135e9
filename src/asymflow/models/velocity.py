"""A network together with the subspace that gives its output a meaning: the model of the full velocity."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from asymflow.flow.asymmetric import calibration, recover
from asymflow.flow.path import per_sample
from asymflow.models.condition import Condition


class VelocityModel(nn.Module):
    """Predicts the full velocity of flow matching from a network that predicts the asymmetric one.

    The network runs under autocast in `precision`; its input scaling and the recovery run in float32. A is a buffer: it is
    part of the model and travels in its checkpoints, because weights read with another subspace are another model.
    """

    def __init__(self, network: nn.Module, A: Float[Tensor, "D r"], s: float, precision: torch.dtype):
        super().__init__()
        self.network = network
        self.register_buffer("A", A)
        self.s = s
        self.precision = precision

    def forward(self, x_t: Float[Tensor, "b n D"], t: Float[Tensor, "b"], condition: Condition, *, sigma_min: float):
        """The velocity at x_t under a condition, in the dtype of x_t.           [AsymFlow, eq. 17]"""
        k = calibration(t, self.s)
        with torch.autocast(x_t.device.type, self.precision, enabled=self.precision != torch.float32):
            u_A = self.network(per_sample(k) * x_t, k * t, condition)
        with torch.autocast(x_t.device.type, enabled=False):
            return recover(u_A.to(x_t.dtype), x_t, t, self.A, self.s, sigma_min)
