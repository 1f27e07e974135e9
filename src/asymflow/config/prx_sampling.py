"""Configuration of sampling an arm of prx-tg."""

from typing import Literal

from pydantic import NonNegativeFloat, PositiveInt

from asymflow.config.section import Section


class PrxSampling(Section):
    """How the images of the validation suite are drawn: Euler's method on uniform noise levels, as prx-tg does."""

    steps: PositiveInt = 20
    """Steps; each costs one evaluation of the network, guidance apart. prx-tg's are 35."""

    guidance: Literal["none", "dual", "self"] = "none"
    """none: the conditions as they are. dual: caption and image embeddings pushed apart from no condition, each with its scale.
    self: all tokens pushed apart from a pass in which some bypass the middle blocks, for arms that were trained with TREAD."""

    text_scale: NonNegativeFloat = 3.0
    """Scale of the caption in dual guidance; prx-tg's."""

    image_scale: NonNegativeFloat = 2.5
    """Scale of the image embeddings in dual guidance; prx-tg's."""

    self_scale: NonNegativeFloat = 3.0
    """Scale of self-guidance; prx-tg's."""

    sigma_min: NonNegativeFloat = 0.04
    """Smallest denominator of the velocity recovery; that of AsymFlow's sampling. prx-tg's sampler has 0.05."""

    weights: Literal["average", "last"] = "average"
    """Which weights draw: their average, or those of the last update."""

    paired: bool = True
    """Whether an image and its edit begin with the same noise. prx-tg's do not, so that its edits mostly measure the noise."""

    snapshot: PositiveInt | None = None
    """Which of the snapshots that the training kept is sampled: 1, 2, ...; None takes the finished model."""

    batch: PositiveInt = 64
    """Images sampled together. Changes no sample beyond the rounding of the arithmetic."""

    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    """Precision inside the network; auto takes bfloat16 where this machine multiplies it clearly faster."""
