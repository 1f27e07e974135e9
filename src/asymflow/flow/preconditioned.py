"""EDM's preconditioning on the linear path: input, skip and output scaled so that the network sees and predicts unit variance.

With sigma = t / (1 - t) and x = x_t / (1 - t) in its formulas, and d = (1 - t)^2 l + t^2 for data of variance l, they become

    x_0 = c_skip x_t + c_out F(c_in x_t, t),   c_in = 1 / sqrt(d),  c_skip = (1 - t) l / d,  c_out = t sqrt(l / d)

so F predicts (t x_0 - (1 - t) l eps) / sqrt(l d): -eps near data, x_0 / sqrt(l) near noise.       [Karras et al. 2022, table 1]
"""

from jaxtyping import Float
from torch import Tensor

from asymflow.flow.path import per_sample


def energy(t: Float[Tensor, "b"], deviation: float) -> Float[Tensor, "b 1 1"]:
    """The variance of x_t where data has this deviation: d = (1 - t)^2 l + t^2, l = deviation^2."""
    t = per_sample(t)
    return (1 - t) ** 2 * deviation**2 + t**2


def target(
    x_0: Float[Tensor, "b n D"], eps: Float[Tensor, "b n D"], t: Float[Tensor, "b"], deviation: float
) -> Float[Tensor, "b n D"]:
    """What the network predicts: F = (t x_0 - (1 - t) l eps) / sqrt(l d)."""
    s, d = per_sample(t), energy(t, deviation)
    return (s * x_0 - (1 - s) * deviation**2 * eps) / (deviation * d.sqrt())


def recover(
    F: Float[Tensor, "b n D"], x_t: Float[Tensor, "b n D"], t: Float[Tensor, "b"], deviation: float
) -> Float[Tensor, "b n D"]:
    """The full velocity of the prediction, without a singularity: u = ((t - (1 - t) l) x_t - sqrt(l d) F) / d."""
    s, d = per_sample(t), energy(t, deviation)
    return ((s - (1 - s) * deviation**2) * x_t - deviation * d.sqrt() * F) / d
