"""The asymmetric parameterisation: what the network predicts, and how the full velocity is recovered from it.

A (D, r) has orthonormal columns and spans the subspace; P = A A^T projects onto it. The network predicts
u_A = P eps - x_0: noise within the subspace only, data everywhere. Rank 0 is x_0-prediction up to sign (JiT), rank D is
u-prediction; both are ordinary members of the family. The scale s and the calibrated input belong to models that were
lifted from a latent space; from-scratch models have s = 1, where every calibration is the exact identity.

Conventions of time, range and patch order: `asymflow.flow.path`.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from asymflow.flow.path import per_sample


def project(x: Float[Tensor, "*b D"], A: Float[Tensor, "D r"]) -> Float[Tensor, "*b D"]:
    """The component of x in the subspace: P x = A (A^T x), never forming P.        [AsymFlow, eq. 23]"""
    return (x @ A) @ A.T


def complement(x: Float[Tensor, "*b D"], A: Float[Tensor, "D r"]) -> Float[Tensor, "*b D"]:
    """The component of x orthogonal to the subspace: (I - P) x.

    At full rank it is exactly zero; the subtraction would leave round-off that the recovery then divides by t.
    """
    if A.shape[0] == A.shape[1]:
        return torch.zeros_like(x)
    return x - project(x, A)


def target(
    x_0: Float[Tensor, "b n D"], eps: Float[Tensor, "b n D"], A: Float[Tensor, "D r"], s: float = 1.0
) -> Float[Tensor, "b n D"]:
    """The asymmetric velocity, which the network predicts.

    u_A = P eps - x_0 / s                                    [AsymFlow, eq. 3; with scale: eq. 16]
    """
    return project(eps, A) - x_0 / s


def calibration(t: Float[Tensor, "b"], s: float) -> Float[Tensor, "b"]:
    """The factor k by which input and time of a lifted network are rescaled: its input is k x_t, its time tau = k t.

        k = 1 / (s (1 - t) + t) = tau / t                        [AsymFlow, eq. 13-14]

    Written as 1 / (s + (1 - s) t), which is exactly 1 in floating point when s = 1.
    """
    return 1 / (s + (1 - s) * t)


def recover(
    u_A: Float[Tensor, "b n D"],
    x_t: Float[Tensor, "b n D"],
    t: Float[Tensor, "b"],
    A: Float[Tensor, "D r"],
    s: float = 1.0,
    sigma_min: float = 0.0,
) -> Float[Tensor, "b n D"]:
    """The full velocity from the asymmetric one.

        u = P (s k u_A + (1 - s k) x_t / t) + (I - P) (x_t + s u_A) / t      [AsymFlow, eq. 17]
        u = P u_A + (I - P) (x_t + u_A) / t                                  [eq. 5, the case s = 1]

    The denominators are max(t, sigma_min): 0.04 in the paper's sampling, 1e-6 in its training. t in (0, 1], one per image.
    """
    t, k, sigma = per_sample(t), per_sample(calibration(t, s)), per_sample(t.clamp_min(sigma_min))
    inside = project(s * k * u_A + (1 - s * k) * x_t / sigma, A)
    return inside + complement(x_t + s * u_A, A) / sigma
