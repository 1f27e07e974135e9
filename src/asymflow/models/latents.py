"""Images as tokens of a latent space and back: the autoencoder that is trained here, or FLUX.2's. One interface.

    latents.encode(images)          images (b, 3, H, W) in [-1, 1] to tokens (b, n, d) of about unit variance
    latents.decode(tokens, grid)    tokens to images, not clamped

A token is a square of latent positions, its values in the order (channel, row, column), as FLUX.2 packs them.

Letters in shapes: b images, n tokens in raster order, d numbers of each.
"""

from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from diffusers import AutoencoderKLFlux2
from jaxtyping import Float
from torch import Tensor

from asymflow import tensors
from asymflow.config.autoencoder import DOWN
from asymflow.config.autoencoder import Autoencoder as Config
from asymflow.models.autoencoder import Autoencoder
from asymflow.models.pretrained import part_of
from asymflow.subspace.patches import CHANNEL_FIRST, patchify, unpatchify


@runtime_checkable
class Latents(Protocol):
    """See the head of this module."""

    def encode(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b n d"]: ...

    def decode(self, tokens: Float[Tensor, "b n d"], grid: tuple[int, int]) -> Float[Tensor, "b 3 H W"]: ...


class LocalLatents:
    """The autoencoder of stage fit_autoencoder, whose latents are normalised by one standard deviation."""

    def __init__(self, autoencoder: Autoencoder, patch_size: int):
        self.autoencoder, self.side = autoencoder, patch_size // DOWN

    @torch.no_grad()
    def encode(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b n d"]:
        return patchify(self.autoencoder.encode(images), self.side, CHANNEL_FIRST)

    @torch.no_grad()
    def decode(self, tokens: Float[Tensor, "b n d"], grid: tuple[int, int]) -> Float[Tensor, "b 3 H W"]:
        return self.autoencoder.decode(unpatchify(tokens, grid, self.side, CHANNEL_FIRST))


class Flux2Latents:
    """FLUX.2's autoencoder: the mean of its posterior, 2 x 2 positions a token, each value normalised by running statistics.

    LakonLab keeps one draw of the posterior for each image. The mean has no noise of its own, and the lift is fitted to what the
    image determines.
    """

    SIDE = 2

    def __init__(self, vae: AutoencoderKLFlux2):
        self.vae = vae
        self.mean = vae.bn.running_mean.float()
        self.std = (vae.bn.running_var.float() + vae.config.batch_norm_eps).sqrt()

    @torch.no_grad()
    def encode(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b n d"]:
        latents = self.vae.encode(images.to(self.vae.dtype)).latent_dist.mode().float()
        return (patchify(latents, self.SIDE, CHANNEL_FIRST) - self.mean) / self.std

    @torch.no_grad()
    def decode(self, tokens: Float[Tensor, "b n d"], grid: tuple[int, int]) -> Float[Tensor, "b 3 H W"]:
        latents = unpatchify(tokens * self.std + self.mean, grid, self.SIDE, CHANNEL_FIRST)
        return self.vae.decode(latents.to(self.vae.dtype)).sample.float()


def load(path: Path, patch_size: int, device: torch.device) -> Latents:
    """The latent space in a file of stage fit_autoencoder, or in a folder with a FLUX.2 in the format of diffusers.

    Raises ValueError for anything else, and when FLUX.2's tokens do not span `patch_size` pixels.
    """
    if path.is_dir():
        vae = part_of(AutoencoderKLFlux2, path, "vae").to(device)
        spanned = Flux2Latents.SIDE * 2 ** (len(vae.config.block_out_channels) - 1)
        if spanned != patch_size:
            raise ValueError(
                f"a latent token of {path} spans {spanned} x {spanned} pixels, but the arm's patches have {patch_size} x"
                f" {patch_size}: the grids of tokens do not match; set patch_size to {spanned}"
            )
        return Flux2Latents(vae)
    description = tensors.describe(path, "autoencoder")
    autoencoder = Autoencoder(Config.model_validate(description["config"]))
    autoencoder.load_state_dict(tensors.load(path, "autoencoder"))
    return LocalLatents(autoencoder.to(device).eval().requires_grad_(False), patch_size)
