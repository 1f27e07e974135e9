"""A network together with the meaning of its output: the model of the full velocity."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from asymflow.flow.asymmetric import calibration, recover
from asymflow.flow.path import per_sample
from asymflow.models.condition import Condition


class VelocityModel(nn.Module):
    """Predicts the full velocity of flow matching from a network that predicts the asymmetric one.

    The network runs under autocast in `precision`; its input scaling and the recovery run in float32. A is a buffer: it is
    part of the model and travels in its checkpoints, because weights read with another subspace are another model. A model of
    another target (`asymflow.models.targets`) says otherwise what the network sees and what its prediction means.
    """

    def __init__(self, network: nn.Module, A: Float[Tensor, "D r"], s: float, precision: torch.dtype):
        super().__init__()
        self.network = network
        self.register_buffer("A", A)
        self.s = s
        self.precision = precision

    def forward(self, x_t: Float[Tensor, "b n D"], t: Float[Tensor, "b"], condition: Condition, *, sigma_min: float):
        """The velocity at x_t under a condition, in the dtype of x_t."""
        shown, time = self.seen(x_t, t, condition)
        with torch.autocast(x_t.device.type, self.precision, enabled=self.precision != torch.float32):
            predicted = self.network(shown, time, condition)
        with torch.autocast(x_t.device.type, enabled=False):
            return self.velocity(predicted.to(x_t.dtype), x_t, t, sigma_min)

    def seen(self, x_t: Tensor, t: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
        """Input and time of the network, calibrated where it was lifted.           [AsymFlow, eq. 13-14]"""
        k = calibration(t, self.s)
        return per_sample(k) * x_t, k * t

    def velocity(self, predicted: Tensor, x_t: Tensor, t: Tensor, sigma_min: float) -> Tensor:
        """The full velocity that a prediction means.           [AsymFlow, eq. 17]"""
        return recover(predicted, x_t, t, self.A, self.s, sigma_min)

    def numbers(self) -> dict[str, float]:
        """What has been learnt beside the network and is worth a curve; nothing here."""
        return {}
