"""Configuration of sampling."""

from typing import Literal

from pydantic import NonNegativeFloat, PositiveInt, model_validator

from asymflow.config.section import Section


class Sampling(Section):
    """How samples are drawn from a trained run."""

    count: PositiveInt = 2_000
    """Images drawn, spread evenly over the classes."""

    steps: PositiveInt = 12
    """Heun steps; each costs two evaluations of the network, the last one."""

    guidance: NonNegativeFloat | Literal["searched"] = 1.0
    """Scale of classifier-free guidance; 1 is none, `searched` takes scale and interval from each run's own search."""

    interval: tuple[float, float] = (0.0, 1.0)
    """Noise levels in which guidance acts, both ends included; 0 is the clean end."""

    snapshot: PositiveInt | None = None
    """Which of the snapshots that the training kept is sampled: 1, 2, ...; None takes the finished model."""

    sigma_min: NonNegativeFloat = 0.04
    """Smallest denominator of the velocity recovery while sampling; the paper's 0.04."""

    ema_images: PositiveInt = 8_000
    """Which averaged weights are sampled: one of the horizons that the run was trained with."""

    batch: PositiveInt = 100
    """Images sampled together. Changes no sample beyond the rounding of the arithmetic."""

    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    """Precision inside the network; auto takes bfloat16 where this machine multiplies it clearly faster."""

    compile: Literal["auto", "on", "off"] = "auto"
    """Whether the network is compiled, which pays from some ten thousand small images on."""

    @model_validator(mode="after")
    def _consistent(self):
        low, high = self.interval
        if not 0 <= low <= high <= 1:
            raise ValueError(
                f"interval is [{low}, {high}]; expected [low, high] with 0 <= low <= high <= 1, in noise level (0 is clean)"
            )
        return self
