"""The paper's finetuning loss: the error of the frozen lifted model is subtracted from the target, and a perceptual distance
fades in where that fades out.

Letters in shapes: b images, n patches, D numbers of each, H and W pixels.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from asymflow.config.arm import Arm
from asymflow.config.representation import CHANNELS
from asymflow.data.tokens import to_pixels
from asymflow.flow.path import denoised, interpolate
from asymflow.flow.variance import adaptive_weight, denoising_loss, fade, perceptual_weight, reduced_target
from asymflow.metrics import perceptual
from asymflow.models.flux import frozen
from asymflow.models.velocity import VelocityModel
from asymflow.subspace.patches import patchify
from asymflow.training.example import Example
from asymflow.training.objective import Needs

BACKBONE = "vgg"  # of the published LPIPS; the paper's

# distance(images, images) -> how different they look at each pixel, (b, H, W); both (b, 3, H, W) in [-1, 1]
Distance = Callable[[Tensor, Tensor], Tensor]


class VarianceReductionTerm(nn.Module):
    """Flow matching towards the reduced target, and the perceptual part.        [AsymFlow, eq. 7 and 18-22]

    The frozen model is the adapted one without what was trained, so nothing is held twice.
    """

    def __init__(self, arm: Arm, distance: Distance | None):
        super().__init__()
        self.arm, self.reduction, self.losses = arm, arm.losses.variance_reduction, arm.losses
        self._distance = (distance,)  # out of sight: neither trained nor part of a checkpoint

    def forward(self, model: VelocityModel, example: Example, u_hat: Tensor) -> dict[str, Float[Tensor, ""]]:
        reduction, floor, t = self.reduction, self.losses.sigma_floor, example.t
        x_hat = denoised(interpolate(example.x_0, example.eps, t), u_hat, t)
        d_L = self._lifted_error(model, example)
        groups = CHANNELS if reduction.weight_per == "channel" else 1
        weight = adaptive_weight(example.x_0 - x_hat, d_L, groups, reduction.weight_floor)
        omega = torch.zeros_like(t) if reduction.kappa is None else fade(t, reduction.kappa)
        target = reduced_target(example.x_0, d_L, weight, omega)
        terms = {"flow": denoising_loss(x_hat, target, t, floor, example.places).mean()}
        if reduction.perceptual:
            patches = perceptual_weight(weight, omega, t, floor)
            terms["perceptual"] = reduction.perceptual * (patches * self._distances(x_hat, example)).mean()
        return terms

    @torch.no_grad()
    def _lifted_error(self, model: VelocityModel, example: Example) -> Float[Tensor, "b n D"]:
        """d_L: the error of the frozen lifted model on the lift of the image's own latents, with the same noise.    [eq. 11]"""
        x_L = model.s * example.z_0 @ model.A.T
        x_t = interpolate(x_L, example.eps, example.t)
        with frozen(model.network):
            u_hat = model(x_t, example.t, example.condition, sigma_min=self.losses.sigma_min)
        return x_L - denoised(x_t, u_hat, example.t)

    def _distances(self, x_hat: Float[Tensor, "b n D"], example: Example) -> Float[Tensor, "b n"]:
        """How different the predicted and the true image look, averaged over each patch."""
        (distance,) = self._distance
        predicted, true = (to_pixels(x, example.condition.grid, self.arm) for x in (x_hat, example.x_0))
        seen = distance(predicted, true)[:, None]
        return patchify(seen, self.arm.representation.patch_size, self.arm.network.order).mean(-1)


def build(arm: Arm, model: VelocityModel, needs: Needs) -> VarianceReductionTerm:
    """The term with its perceptual network, where it has such a part."""
    wanted = arm.losses.variance_reduction.perceptual
    return VarianceReductionTerm(arm, perceptual.load(needs.perceptual, BACKBONE, needs.device) if wanted else None)
