"""The autoencoder of the latent track: convolutions beside a linear shortcut, 8 times down, with normalised latents.

The shortcut takes 8 x 8 pixels to a latent position and back by one matrix, which starts as the strongest principal components
of such patches; the convolutions learn what is missing. So training begins at the best linear autoencoder of this size, and
latents stay near pixel space, which the lift of section 5.1 of the paper relies on (see its limitations).

Letters in shapes: b images, H and W their sides in pixels, c latent channels, h = H / 8, w = W / 8.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle, silu

from asymflow.config.autoencoder import DOWN
from asymflow.config.autoencoder import Autoencoder as Config

STAGES = DOWN.bit_length() - 1  # resolutions: a half, a quarter, an eighth


class Residual(nn.Module):
    """x + f(x), with an f that starts as zero."""

    def __init__(self, width: int):
        super().__init__()
        self.first = nn.Conv2d(width, width, kernel_size=3, padding=1)
        self.second = nn.Conv2d(width, width, kernel_size=3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Float[Tensor, "b width h w"]) -> Float[Tensor, "b width h w"]:
        return x + self.second(silu(self.first(silu(x))))


class Autoencoder(nn.Module):
    """Images to normalised latents and back.

    Latents have the mean 0 in each channel and the standard deviation 1 over all channels together: a single number, so that
    the proportions between channels are those of the pixels that they stand for, and one scale s lifts them all.
    """

    def __init__(self, config: Config):
        super().__init__()
        widths = [config.width << stage for stage in range(STAGES)]
        down, up = [], []
        for stage, width in enumerate(widths):
            before = widths[stage - 1] if stage else 3
            down.append(nn.Conv2d(4 * before, width, kernel_size=3, padding=1))  # after pixel_unshuffle by 2
            up.append(nn.Conv2d(width, 4 * before, kernel_size=3, padding=1))  # before pixel_shuffle by 2
        self.down, self.up = nn.ModuleList(down), nn.ModuleList(reversed(up))
        self.encoding = nn.ModuleList(_residuals(width, config.blocks) for width in widths)
        self.decoding = nn.ModuleList(_residuals(width, config.blocks) for width in reversed(widths))
        self.to_latent = nn.Conv2d(widths[-1], config.channels, kernel_size=1)
        self.from_latent = nn.Conv2d(config.channels, widths[-1], kernel_size=1)
        self.analysis = nn.Conv2d(3 * DOWN**2, config.channels, kernel_size=1, bias=False)  # the shortcut
        self.synthesis = nn.Conv2d(config.channels, 3 * DOWN**2, kernel_size=1)
        for last in (self.to_latent, self.up[-1]):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        self.register_buffer("mean", torch.zeros(config.channels))
        self.register_buffer("std", torch.ones(()))

    @torch.no_grad()
    def initialise_from_pca(self, directions: Float[Tensor, "D c"]) -> None:
        """Makes the shortcut the projection onto orthonormal directions of 8 x 8 patches in (channel, row, column) order."""
        self.analysis.weight.copy_(directions.T[:, :, None, None])
        self.synthesis.weight.copy_(directions[:, :, None, None])
        nn.init.zeros_(self.synthesis.bias)

    def raw(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b c h w"]:
        """Latents before they are normalised; images in [-1, 1]."""
        x = images
        for convolution, blocks in zip(self.down, self.encoding, strict=True):
            x = blocks(convolution(pixel_unshuffle(x, 2)))
        return self.analysis(pixel_unshuffle(images, DOWN)) + self.to_latent(silu(x))

    @torch.no_grad()
    def normalise(self, latents: Float[Tensor, "b c h w"]) -> None:
        """Takes the normalisation from raw latents of many images."""
        self.mean.copy_(latents.mean((0, 2, 3)))
        self.std.copy_((latents - self._mean).square().mean().sqrt())

    @property
    def _mean(self) -> Float[Tensor, "c 1 1"]:
        return self.mean[:, None, None]

    def encode(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b c h w"]:
        """Normalised latents of images in [-1, 1]. Raises ValueError unless both sides are multiples of 8."""
        if images.shape[-1] % DOWN or images.shape[-2] % DOWN:
            raise ValueError(
                f"an image of {images.shape[-2]}x{images.shape[-1]} pixels has no latents: {DOWN} must divide both sides"
            )
        return (self.raw(images) - self._mean) / self.std

    def decode(self, latents: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 3 H W"]:
        """Images, about in [-1, 1] but not clamped, of normalised latents."""
        raw = latents * self.std + self._mean
        x = self.from_latent(raw)
        for blocks, convolution in zip(self.decoding, self.up, strict=True):
            x = pixel_shuffle(convolution(silu(blocks(x))), 2)
        return x + pixel_shuffle(self.synthesis(raw), DOWN)


def _residuals(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Residual(width) for _ in range(count)))
