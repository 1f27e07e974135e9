"""Configuration of the subspaces of patch space."""

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from asymflow.config.section import Section

Basis = Literal["pca", "pca_centred", "pca_unexplained", "dct", "random", "identity"]
"""pca_unexplained has the directions of pca in another order: by the variance that class and surrounding patches leave."""


class Subspace(Section):
    """How bases are fitted."""

    images: PositiveInt = 10_000
    """Training images whose patches a PCA sees; all of them when the set is smaller."""

    flip: bool = False
    """Whether each image is seen mirrored too, as it should be when training mirrors images."""

    seed: NonNegativeInt = 0
    """Chooses the images, and the random basis."""
