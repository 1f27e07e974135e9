"""Configuration of prx-tg's validation suite."""

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from asymflow.config.section import Section


class Suite(Section):
    """Which images the suite asks for. Cases of one kind are the first of their split."""

    split: Literal["heldout", "train"] = "heldout"
    """Where the cases come from: images that nothing learns from. prx-tg's published protocol takes training images."""

    reconstructions: PositiveInt = 100
    """Images drawn from all conditions of an image, against that image."""

    texts: PositiveInt = 300
    """Images drawn from a caption alone, against its image; their distribution gives the Frechet distance."""

    swaps: PositiveInt = 60
    """Images drawn from the caption of one image and the embeddings of another."""

    edits: PositiveInt = 60
    """Pairs drawn with a caption and with an edited one: from the image's embeddings too, and from captions alone."""

    memories: PositiveInt = 60
    """Images drawn from captions of training images: with as many of `texts`, the samples that memorisation is judged by."""

    resamples: PositiveInt = 2_000
    """Resamples of the cases in a bootstrap interval."""

    seed: NonNegativeInt = 0
    """Decides what is edited, and the resamples."""
