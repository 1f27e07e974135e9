"""Configuration of one text-to-image arm: which network, in which space, from where it starts, how it is trained."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from asymflow.config.autoencoder import DOWN
from asymflow.config.colour import Colour
from asymflow.config.loss import Loss
from asymflow.config.section import Section
from asymflow.config.training import Schedule
from asymflow.config.transformer import Adapter, Transformer


class Head(Section):
    """A wide decoder head that predicts the velocity of pixels, the baseline of the paper's appendix B.2."""

    blocks: PositiveInt = 2
    """Transformer blocks; the paper's 2."""

    width: PositiveInt = 6144
    """Channels of a token in the head; the paper's 6144, at heads of 192."""

    heads: PositiveInt = 32
    """Attention heads of each block."""


class TextTraining(Schedule):
    """How one text-to-image arm is trained. Noise levels are the sigmoid of a normal number, then shifted."""

    caption_dropout: float = Field(0.0, ge=0, le=1)
    """Share of images whose caption is empty in training. The paper's finetuning drops none; a model that starts at random
    needs some, or guidance has nothing to guide away from."""

    time_mean: float = 0.0
    """Mean of the logit of the noise level before its shift."""

    time_std: PositiveFloat = 1.0
    """Standard deviation of the logit of the noise level."""

    shift: PositiveFloat = 17.0
    """Shift of noise levels towards noise, in training and in sampling: 17 for pixels and 7 for latents at 1024 x 1024."""

    sigma_min: PositiveFloat = 1e-6
    """Smallest denominator of the velocity recovery during training."""

    ema_gamma: NonNegativeFloat = 7.0
    """Power of the averaged weights' profile (Karras et al.); the paper's."""

    multiples: dict[str, PositiveFloat] = Field(default_factory=dict)
    """Learning rates of single layers by name, as multiples of lr. AsymFLUX.2: {proj_out: 10}."""


class TextArm(Section):
    """Everything that decides the weights of a text-to-image run, beside data, latents, lift and seed."""

    space: Literal["latent", "pixel"] = "pixel"
    """What tokens are: 2 x 2 positions of the autoencoder's latents, or patches of pixels."""

    start: str | None = None
    """The arm of latents whose weights it starts from; None: those of `latent.model` where that is a FLUX.2, else random ones."""

    patch_size: int = 16
    """Side of a token in pixels: a multiple of the 8 pixels that a latent position spans."""

    colour: Colour = "oklab"
    """Colour space of the pixels; the paper's text-to-image models have normalised Oklab."""

    transformer: Transformer = Transformer()
    """The network, where none is given by `latent.model`."""

    adapter: Adapter | None = Adapter()
    """What is trained; None trains the whole network."""

    head: Head | None = None
    """A decoder head in place of the network's last layers; it predicts the full velocity of pixels."""

    loss: Loss = Loss()
    """What is minimised."""

    training: TextTraining = TextTraining()
    """How it is trained."""

    @model_validator(mode="after")
    def _consistent(self) -> "TextArm":
        if self.patch_size < DOWN or self.patch_size % DOWN:
            raise ValueError(
                f"patch_size is {self.patch_size}; give a multiple of {DOWN}, which a latent position spans"
            )
        if self.space == "latent" and self.head:
            raise ValueError("a decoder head predicts pixels: set space to pixel, or head to null")
        if self.loss.variance_reduction and (self.space == "latent" or self.head or self.adapter is None):
            raise ValueError(
                "variance_reduction compares with the frozen lifted model: it needs space pixel, an adapter and no head"
            )
        return self
