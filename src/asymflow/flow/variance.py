"""The variance-reduced loss of latent-to-pixel finetuning, and how it fades into a perceptual one.

A pixel image x_0 comes with its paired low-rank image x_0^L = s A z_0, the lift of its own latent. A frozen copy of the lifted
model predicts the latter from x_t^L, diffused with the same noise. Its error d_L = x_0^L - x_hat_0^L is mostly what nobody
can know from x_t, and so it is part of the error d = x_0 - x_hat_0 of the model being finetuned: subtracting it as a control
variate leaves the mean of the target as it is and takes away variance.

Where the official code departs from the paper, `groups` and `floor` offer its choice; the paper's is the default everywhere.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from asymflow.flow.objective import mean_square
from asymflow.flow.path import per_sample


def adaptive_weight(
    d: Float[Tensor, "b n D"], d_L: Float[Tensor, "b n D"], groups: int = 1, floor: float = 0.0
) -> Float[Tensor, "b n groups"]:
    """How much of the control variate to subtract in each patch: least squares, kept in [0, 1].

        lambda = min(max(<d, d_L> / |d_L|^2, 0), 1)              [AsymFlow, eq. 18]

    One weight for a whole patch, as in the paper; the official code has one for each channel of a patch in (channel, row,
    column) order (3 groups), and keeps the mean square in the denominator above a `floor` of 1e-4. No d_L at all gives 0.
    Takes no gradient.
    """
    d, d_L = (x.detach().unflatten(-1, (groups, -1)) for x in (d, d_L))
    energy = d_L.square().mean(-1).clamp_min(max(floor, torch.finfo(d.dtype).tiny))
    return ((d * d_L).mean(-1) / energy).clamp(0, 1)


def fade(t: Float[Tensor, "b"], kappa: float) -> Float[Tensor, "b"]:
    """How far the loss has faded from variance reduction (0, at noise) to the perceptual correction (1, at data).

    omega = (1 - t)^2 / ((1 - t)^2 + (kappa t)^2)            [AsymFlow, eq. 21; kappa = 0.3]
    """
    signal = (1 - t).square()
    return signal / (signal + (kappa * t).square())


def reduced_target(
    x_0: Float[Tensor, "b n D"],
    d_L: Float[Tensor, "b n D"],
    weight: Float[Tensor, "b n groups"],
    omega: Float[Tensor, "b"],
) -> Float[Tensor, "b n D"]:
    """The target with the control variate subtracted: x_0 - (1 - omega) lambda d_L.          [AsymFlow, eq. 19]"""
    subtracted = (weight[..., None] * d_L.detach().unflatten(-1, (weight.shape[-1], -1))).flatten(-2)
    return x_0 - per_sample(1 - omega) * subtracted


def denoising_loss(
    x_0_hat: Float[Tensor, "b n D"],
    target: Float[Tensor, "b n D"],
    t: Float[Tensor, "b"],
    sigma_floor: float,
    places: Float[Tensor, "b n"] | None = None,
) -> Float[Tensor, "b"]:
    """The squared error of each predicted clean image in units of velocity, averaged over its pixels, weighted by their place.

        mean |x_hat_0 - target|^2 / max(t, sigma_floor)^2        [AsymFlow, eq. 7 and 19]

    With the plain target x_0 it equals the flow matching loss wherever t >= sigma_floor, because u_hat - u is
    (x_0 - x_hat_0) / t. The paper divides by t; the floor is the official code's.
    """
    return mean_square(x_0_hat - target, places) / t.clamp_min(sigma_floor).square()


def perceptual_weight(
    weight: Float[Tensor, "b n groups"], omega: Float[Tensor, "b"], t: Float[Tensor, "b"], sigma_floor: float
) -> Float[Tensor, "b n"]:
    """What multiplies the perceptual distance in each patch.

        omega lambda / max(t, sigma_floor)^2                     [AsymFlow, eq. 20]

    With several groups lambda is their root mean square, as in the official code; of one group that is lambda itself.
    """
    gate = weight.square().mean(-1).sqrt()
    return (omega / t.clamp_min(sigma_floor).square())[:, None] * gate
