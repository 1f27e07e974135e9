"""The perceptual distance (LPIPS) between the predicted clean image and the true one, at low noise [PixelGen, arXiv 2602.02493].

Letters in shapes: b images, H and W pixels.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from asymflow.config.arm import Arm
from asymflow.metrics import perceptual
from asymflow.metrics.perceptual import Lpips
from asymflow.models.velocity import VelocityModel
from asymflow.training.example import Example
from asymflow.training.objective import Needs
from asymflow.training.predicted import gated_mean, predicted_pixels

BACKBONE = "vgg"  # of the published LPIPS; PixelGen's


class PerceptualTerm(nn.Module):
    """The mean distance, over the pixels of each image, of those that the gate lets through."""

    def __init__(self, arm: Arm, network: Lpips):
        super().__init__()
        self.arm, self.perceptual = arm, arm.losses.perceptual
        self._network = (network,)  # out of sight: neither trained nor part of a checkpoint

    def forward(self, model: VelocityModel, example: Example, u_hat: Tensor) -> dict[str, Float[Tensor, ""]]:
        with torch.autocast(example.x_0.device.type, enabled=False):
            predicted = predicted_pixels(example, u_hat, self.arm)
            loss = gated_mean(self._distances, predicted, example, self.perceptual.gate)
        return {"perceptual": self.perceptual.weight * loss}

    def _distances(self, one: Float[Tensor, "b 3 H W"], other: Float[Tensor, "b 3 H W"]) -> Float[Tensor, " b"]:
        (network,) = self._network
        if self.perceptual.half:
            one, other = avg_pool2d(one, 2), avg_pool2d(other, 2)
        return network(one, other).mean((1, 2))


def build(arm: Arm, model: VelocityModel, needs: Needs) -> PerceptualTerm:
    """The term with the network that is trained here, or the published one."""
    return PerceptualTerm(arm, perceptual.load(needs.perceptual, BACKBONE, needs.device))
