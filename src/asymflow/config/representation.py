"""What a token is: a patch of pixels in a colour space, or a square of the latents of an autoencoder."""

from typing import Literal

from pydantic import PositiveInt, model_validator

from asymflow.config.autoencoder import DOWN
from asymflow.config.section import Section

Colour = Literal["rgb", "oklab", "unit_rgb"]

# How the values of a patch are ordered in its token. JiT and NanoDiT use (row, column, channel); FLUX.2 packs its latents
# (channel, row, column). A basis fitted in one order is meaningless in the other, and no shape tells them apart.
Order = Literal["row column channel", "channel row column"]

CHANNELS = 3  # RGB, or the three of Oklab


class Representation(Section):
    """What the network sees of an image."""

    space: Literal["pixel", "latent"] = "pixel"
    """What tokens are: patches of pixels, or the autoencoder's latents of these patches."""

    patch_size: PositiveInt = 16
    """Side in pixels of the square that a token stands for."""

    colour: Colour = "rgb"
    """Colour space of the pixels: rgb in [-1, 1]; oklab, normalised, as AsymFLUX.2 has it; or unit_rgb in [0, 1], as prx-tg has
    it, where the noise is twice as strong beside an image. Samples are RGB either way. Of latents: that of the pixels which they
    are lifted to, whose noise theirs is a part of."""

    @property
    def dimension(self) -> int:
        """D, the numbers of a pixel patch."""
        return CHANNELS * self.patch_size**2

    @model_validator(mode="after")
    def _possible(self) -> "Representation":
        if self.space == "latent" and self.patch_size % DOWN:
            raise ValueError(
                f"patch_size is {self.patch_size}; a latent token spans a multiple of the {DOWN} pixels of a latent position"
            )
        return self
