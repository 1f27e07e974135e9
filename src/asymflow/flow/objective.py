"""The training objective: flow matching on the recovered velocity."""

from jaxtyping import Float
from torch import Tensor


def flow_matching_loss(
    u_hat: Float[Tensor, "b n D"],
    u: Float[Tensor, "b n D"],
    t: Float[Tensor, "b"],
    sigma_floor: float,
    places: Float[Tensor, "b n"] | None = None,
) -> Float[Tensor, "b"]:
    """The squared velocity error of each image, averaged over its pixels; `places` are weights of its tokens, of mean 1.

        mean w |u_hat - u|^2 (t / max(t, sigma_floor))^2         [AsymFlow, eq. 2; weight as in the official training]

    The weight bounds the 1/t^2 that x_0-prediction carries at low noise. With the default time law and a floor of 0.05 it
    touches about one image in a million, but it makes the loss of rank 0 equal to JiT's.
    """
    weight = (t / t.clamp_min(sigma_floor)).square()
    return weight * mean_square(u_hat - u, places)


def mean_square(error: Float[Tensor, "b n D"], places: Float[Tensor, "b n"] | None) -> Float[Tensor, "b"]:
    """The mean square of each image's error, its tokens weighted by their place, or all equally."""
    if places is None:
        return error.square().mean(dim=(1, 2))
    return (places * error.square().mean(2)).mean(1)
