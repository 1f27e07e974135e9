"""Configuration of the perceptual distance (LPIPS)."""

from typing import Literal

from pydantic import NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from asymflow.config.section import Section


class Perceptual(Section):
    """The network whose layers LPIPS compares: trained here on the evaluator split, or published."""

    backbone: Literal["squeeze", "alex", "vgg"] = "squeeze"
    """Which of torchvision's networks."""

    images: PositiveInt = 20_000
    """Images seen in training, repetitions included, where it is trained here."""

    batch: PositiveInt = 64
    """Images per update."""

    lr: PositiveFloat = 1e-3
    """Highest learning rate; it rises over the first tenth of the training and falls to zero along a cosine."""

    seed: NonNegativeInt = 0
    """Decides initial weights and order."""

    @model_validator(mode="after")
    def _consistent(self) -> "Perceptual":
        if self.batch > self.images:
            raise ValueError(f"one batch ({self.batch} images) exceeds the whole training ({self.images} images)")
        return self
