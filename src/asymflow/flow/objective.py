"""The training objective: flow matching on the recovered velocity."""

from jaxtyping import Float
from torch import Tensor


def flow_matching_loss(
    u_hat: Float[Tensor, "b n D"], u: Float[Tensor, "b n D"], t: Float[Tensor, "b"], sigma_floor: float
) -> Float[Tensor, "b"]:
    """The squared velocity error of each image, averaged over its pixels.

        mean |u_hat - u|^2 (t / max(t, sigma_floor))^2           [AsymFlow, eq. 2; weight as in the official training]

    The weight bounds the 1/t^2 that x_0-prediction carries at low noise. With the default time law and a floor of 0.05 it
    touches about one image in a million, but it makes the loss of rank 0 equal to JiT's.
    """
    weight = (t / t.clamp_min(sigma_floor)).square()
    return weight * (u_hat - u).square().mean(dim=(1, 2))
