"""Configuration of what the network predicts."""

from typing import Literal

from pydantic import NonNegativeInt

from asymflow.config.section import Section
from asymflow.config.subspace import Basis


class Target(Section):
    """The asymmetric velocity u_A = P eps - x_0: noise in a subspace, data everywhere."""

    rank: NonNegativeInt | Literal["full"] = 8
    """Dimensions of the subspace within each patch: 0 is x_0-prediction, `full` (the patch dimension) is u-prediction."""

    basis: Basis = "pca"
    """What spans the subspace.

    pca: the patches' principal components, as published; pca_centred: those of the patches less their mean; dct: the lowest
    frequencies; random: random directions; identity: single pixel values.
    """

    def columns(self, dimension: int) -> int:
        """The rank as a number, given the patch dimension D."""
        return dimension if self.rank == "full" else self.rank
