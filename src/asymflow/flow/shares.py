"""The family of targets that the asymmetric velocity belongs to: data whole, noise by shares, direction by direction.

The network predicts y = S eps - x_0, where S passes a share s_i of the noise in direction b_i of an orthonormal basis of patch
space: S = sum_i s_i b_i b_i^T. Shares of 0 are x_0-prediction up to sign, of 1 velocity prediction, of 0 and 1 AsymFlow; one for
all directions is k-Diff with s = (1 - k) / k, and s = deviation^2 (1 - t) / t with a scaled output is EDM's preconditioning
(`asymflow.flow.preconditioned`). A share is positive or 0 and may depend on t.

From y = S eps - x_0 and x_t = (1 - t) x_0 + t eps follow, in each direction,

    q = s + (1 - s) t,   u = ((1 - s) x_t + y) / q,   x_0 = (s x_t - t y) / q
"""

from jaxtyping import Float
from torch import Tensor

from asymflow.flow.asymmetric import complement
from asymflow.flow.path import per_sample


def velocity_of(
    y: Float[Tensor, "b n K"], x_t: Float[Tensor, "b n K"], t: Float[Tensor, "b"], s: Tensor, sigma_min: float = 0.0
) -> Float[Tensor, "b n K"]:
    """The full velocity of what the network predicts, coefficient by coefficient.

        u = ((1 - s) x_t + y) / max(s + (1 - s) t, sigma_min)

    `s` is a share for all, for each coefficient (K), or for each image (b 1 1). The clamp is that of the asymmetric recovery
    (eq. 5) at s = 0, and does nothing where s is above it.
    """
    t = per_sample(t)
    return ((1 - s) * x_t + y) / (s + (1 - s) * t).clamp_min(sigma_min)


def recover(
    y: Float[Tensor, "b n D"],
    x_t: Float[Tensor, "b n D"],
    t: Float[Tensor, "b"],
    B: Float[Tensor, "D K"],
    s: Tensor,
    sigma_min: float = 0.0,
) -> Float[Tensor, "b n D"]:
    """The full velocity where the shares are those of the columns of B, which are orthonormal; outside its span they are 0.

        u = B ((1 - s) B^T x_t + B^T y) / q + (I - B B^T) (x_t + y) / t

    `s` as in `velocity_of`. With s = 1 it is the asymmetric recovery.
    """
    inside = velocity_of(y @ B, x_t @ B, t, s, sigma_min) @ B.T
    return inside + complement(x_t + y, B) / per_sample(t).clamp_min(sigma_min)


def opening(t: Float[Tensor, "b"]) -> Float[Tensor, "b 1 1"]:
    """The share of a subspace that opens with time: min(1, (1 - t) / t), 0 at noise, whole from the middle on."""
    return per_sample(((1 - t) / t).clamp_max(1))


def least_copying(
    variances: Float[Tensor, "K"], t: Float[Tensor, "m"], weights: Float[Tensor, "m"]
) -> Float[Tensor, "K"]:
    """The shares with which a linear network copies least of its noisy input, on average over noise levels.

    Where data has variance l in a direction, the best linear prediction of y is W x_t with W = (s t - (1 - t) l) / d,
    d = (1 - t)^2 l + t^2; the energy copied, W^2 d, is least on average for

        s = min(1, l E[t (1 - t) / d] / E[t^2 / d])

    the expectation over levels t of these weights. Derived for a Gaussian direction that nothing else tells anything of.
    """
    energy = (1 - t) ** 2 * variances[:, None] + t**2
    return (variances * ((t * (1 - t) / energy) @ weights) / ((t**2 / energy) @ weights)).clamp(0, 1)
