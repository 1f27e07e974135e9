"""Configuration of sampling from captions."""

from typing import Literal

from pydantic import NonNegativeFloat, PositiveInt

from asymflow.config.section import Section


class TextSampling(Section):
    """How images are drawn for captions, by UniPC on the noise levels of the arm's shift."""

    steps: PositiveInt = 32
    """Evaluations of the network, guidance apart; the paper's 32."""

    guidance: NonNegativeFloat = 4.0
    """Scale of classifier-free guidance against the empty caption; 1 is none, the paper's is 4."""

    orthogonal: bool = True
    """Whether guidance is kept orthogonal to the predicted image (APG), as in the paper."""

    gamut_clamp: bool = True
    """Whether every predicted image is brought into the gamut of RGB before the next step; pixels only."""

    sigma_min: NonNegativeFloat = 1e-4
    """Smallest denominator of the velocity recovery while sampling; the official code's."""

    batch: PositiveInt = 50
    """Images sampled together. Changes no sample beyond the rounding of the arithmetic."""

    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    """Precision inside the network; auto takes bfloat16 where this machine multiplies it clearly faster."""
