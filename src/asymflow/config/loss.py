"""Configuration of the finetuning loss."""

from typing import Literal

from pydantic import NonNegativeFloat, PositiveFloat, model_validator

from asymflow.config.section import Section


class Loss(Section):
    """Plain flow matching, variance reduction, and the perceptual correction; off by default, one after the other."""

    variance_reduction: bool = False
    """Whether the error of the frozen lifted model is subtracted from the target."""

    kappa: PositiveFloat | None = None
    """Where variance reduction fades out towards clean images: by half at t = 1 / (1 + kappa). None never fades; paper: 0.3."""

    perceptual: NonNegativeFloat = 0.0
    """Weight of the perceptual distance, which fades in as variance reduction fades out; 0 is none, the paper's is 0.2."""

    weight_per: Literal["patch", "channel"] = "patch"
    """What has an adaptive weight of its own: each patch, as in the paper, or each channel of it, as in the official code."""

    weight_floor: NonNegativeFloat = 0.0
    """Smallest mean square in the denominator of the adaptive weight; none in the paper, 1e-4 in the official code."""

    sigma_floor: PositiveFloat = 0.05
    """Noise level below which the loss stops to grow; the official code's. The training law hardly ever draws one."""

    @model_validator(mode="after")
    def _consistent(self) -> "Loss":
        if self.kappa is not None and not self.variance_reduction:
            raise ValueError(
                f"kappa is {self.kappa}, but there is no variance_reduction to fade; switch it on, or leave kappa out"
            )
        if self.perceptual and self.kappa is None:
            raise ValueError(
                f"perceptual is {self.perceptual}, but without kappa it never fades in; give kappa (the paper's is 0.3)"
            )
        return self
