"""What finetuning minimises: flow matching on pixels with text, and its variance-reduced form against the frozen lift.

Letters in shapes: b images, n patches, D numbers of each, d of a latent token, l text tokens, e channels of each, H and W pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from asymflow.config.colour import Colour
from asymflow.config.loss import Loss
from asymflow.config.text_arm import TextArm
from asymflow.data.colour import decode, encode
from asymflow.flow.path import denoised, interpolate, logit_normal_time, shift_time
from asymflow.flow.variance import adaptive_weight, denoising_loss, fade, perceptual_weight, reduced_target
from asymflow.models.text_transformer import frozen, grid_positions
from asymflow.models.velocity import VelocityModel
from asymflow.subspace.patches import CHANNEL_FIRST, patchify, unpatchify

# perceptual(images, images) -> how different they look at each pixel, (b, H, W); both (b, 3, H, W) in [-1, 1]
Perceptual = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class TextExample:
    """What the network is shown and asked, for one batch of images of one shape."""

    x_0: Float[Tensor, "b n D"]
    z_0: Float[Tensor, "b n d"]  # the latent tokens of the same images
    eps: Float[Tensor, "b n D"]
    t: Float[Tensor, "b"]
    text: Float[Tensor, "b l e"]
    positions: Float[Tensor, "n 4"]
    grid: tuple[int, int]  # rows and columns of patches

    def split(self, size: int) -> list["TextExample"]:
        """The example in parts of at most `size` images."""
        pieces = (x.split(size) for x in (self.x_0, self.z_0, self.eps, self.t, self.text))
        return [TextExample(*piece, self.positions, self.grid) for piece in zip(*pieces, strict=True)]


def draw(
    images: UInt8[Tensor, "b 3 H W"],
    latents: Float[Tensor, "b n d"],
    text: Float[Tensor, "b l e"],
    *,
    arm: TextArm,
    empty: Float[Tensor, "l e"],
) -> TextExample:
    """Noise, noise levels and hidden captions for a batch, from the seeded generators."""
    b, device = len(images), images.device
    p = arm.patch_size
    grid = (images.shape[2] // p, images.shape[3] // p)
    patches = patchify(encode(images.float() / 127.5 - 1, arm.colour), p, CHANNEL_FIRST)
    x_0 = latents if arm.space == "latent" else patches
    law, hidden = arm.training, torch.rand(b, device=device) < arm.training.caption_dropout
    return TextExample(
        x_0=x_0,
        z_0=latents,
        eps=torch.randn_like(x_0),
        t=shift_time(logit_normal_time(torch.randn(b, device=device), law.time_mean, law.time_std), law.shift),
        text=torch.where(hidden[:, None, None], empty, text),
        positions=grid_positions(*grid).to(device),
        grid=grid,
    )


class Finetuning(nn.Module):
    """The finetuning loss of an adapted, lifted model, averaged over the batch.        [AsymFlow, eq. 2, 7 and 19-22]

    The frozen model of variance reduction is the adapted one without what was trained, so nothing is held twice. With all
    switches off it is the flow matching loss.
    """

    def __init__(
        self,
        model: VelocityModel,
        loss: Loss,
        sigma_min: float,
        patch_size: int,
        colour: Colour,
        perceptual: Perceptual | None,
    ):
        super().__init__()
        self.model, self.loss, self.sigma_min = model, loss, sigma_min
        self.patch_size, self.colour, self.perceptual = patch_size, colour, perceptual
        if loss.perceptual and perceptual is None:
            raise ValueError(
                f"the loss has a perceptual part of weight {loss.perceptual}, but no network to measure it"
            )

    def forward(self, example: TextExample) -> dict[str, Float[Tensor, ""]]:
        loss, t = self.loss, example.t
        x_hat = self._denoised(example.x_0, example)
        if not loss.variance_reduction:
            return {"flow": denoising_loss(x_hat, example.x_0, t, loss.sigma_floor).mean()}
        x_L = self.model.s * example.z_0 @ self.model.A.T  # eq. 11
        with torch.no_grad(), frozen(self.model.network):
            d_L = x_L - self._denoised(x_L, example)
        groups = 3 if loss.weight_per == "channel" else 1
        weight = adaptive_weight(example.x_0 - x_hat, d_L, groups, loss.weight_floor)
        omega = torch.zeros_like(t) if loss.kappa is None else fade(t, loss.kappa)
        target = reduced_target(example.x_0, d_L, weight, omega)
        terms = {"flow": denoising_loss(x_hat, target, t, loss.sigma_floor).mean()}
        if loss.perceptual:
            patches = perceptual_weight(weight, omega, t, loss.sigma_floor)
            terms["perceptual"] = loss.perceptual * (patches * self._distances(x_hat, example)).mean()
        return terms

    def _denoised(self, clean: Float[Tensor, "b n D"], example: TextExample) -> Float[Tensor, "b n D"]:
        """The clean image that the model predicts from the given one, diffused with the example's noise."""
        x_t = interpolate(clean, example.eps, example.t)
        u = self.model(x_t, example.t, example.text, example.positions, sigma_min=self.sigma_min)
        return denoised(x_t, u, example.t)

    def _distances(self, x_hat: Float[Tensor, "b n D"], example: TextExample) -> Float[Tensor, "b n"]:
        """How different the predicted and the true image look, averaged over each patch."""
        predicted, true = (
            decode(unpatchify(x, example.grid, self.patch_size, CHANNEL_FIRST), self.colour)
            for x in (x_hat, example.x_0)
        )
        return patchify(self.perceptual(predicted, true)[:, None], self.patch_size, CHANNEL_FIRST).mean(-1)
