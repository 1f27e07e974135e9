"""Configuration of the autoencoder whose latents the text-to-image models begin in, where none is downloaded."""

from typing import Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from asymflow.config.section import Section

DOWN = 8  # pixels that a latent position spans in each direction, as in FLUX.2


class Autoencoder(Section):
    """Architecture and training of the convolutional autoencoder: 8 times down in each direction."""

    channels: PositiveInt = 32
    """Channels of the latents. 32 is FLUX.2's: a token of 2 x 2 positions has 128 numbers."""

    width: PositiveInt = 32
    """Channels at half the resolution; they double with every halving."""

    blocks: PositiveInt = 1
    """Residual blocks at each resolution, in the encoder and in the decoder."""

    images: PositiveInt = 20_000
    """Images seen in training, repetitions included."""

    batch: PositiveInt = 32
    """Images per update."""

    lr: PositiveFloat = 1e-3
    """Highest learning rate; it rises over the first tenth of the training and falls to zero over the last six."""

    noise: NonNegativeFloat = 0.05
    """Standard deviation of the noise that latents, which have about 1, get in training: a decoder that has seen it forgives
    the small errors of a generator."""

    seed: NonNegativeInt = 0
    """Decides initial weights, order and noise."""

    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    """Precision inside the network; auto takes bfloat16 where the processor or GPU has instructions for it."""

    @model_validator(mode="after")
    def _consistent(self) -> "Autoencoder":
        if self.channels > 3 * DOWN**2:
            raise ValueError(
                f"channels is {self.channels}; a latent position stands for {DOWN} x {DOWN} x 3 = {3 * DOWN**2} numbers of the"
                " image: give at most as many"
            )
        if self.batch > self.images:
            raise ValueError(f"one batch ({self.batch} images) exceeds the whole training ({self.images} images)")
        return self
