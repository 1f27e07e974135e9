"""Configuration of the paper's target."""

from typing import Literal

from pydantic import NonNegativeInt, model_validator

from asymflow.config.section import Section
from asymflow.config.subspace import Basis


class Asymmetric(Section):
    """The asymmetric velocity u_A = P eps - x_0: noise in a subspace, data everywhere."""

    kind: Literal["asymmetric"] = "asymmetric"

    rank: NonNegativeInt | Literal["full"] = 8
    """Dimensions of the subspace within each patch: 0 is x_0-prediction, `full` takes every column of the basis, which is
    u-prediction but for a lift."""

    basis: Basis | Literal["lift"] = "pca"
    """What spans the subspace.

    pca: the patches' principal components, as published; pca_centred: those of the patches less their mean;
    pca_unexplained: those of pca that class and surrounding patches explain least; dct: the lowest frequencies; random: random
    directions; identity: single pixel values; lift: what the autoencoder's latents are lifted to, for pixel models that begin as
    latent ones.
    """

    dead: bool = False
    """Whether the target stays unread and the network predicts x_0 whatever the rank is, as in prx-tg's public code, where the
    asymmetric target is computed and the loss of x_0-prediction makes its own. For the control of the published protocol."""

    def columns(self, available: int) -> int:
        """The rank of what the network does predict, as a number; `available` is how many columns the basis has."""
        if self.dead:
            return 0
        return available if self.rank == "full" else self.rank

    @model_validator(mode="after")
    def _consistent(self) -> "Asymmetric":
        if self.basis == "lift" and (self.rank != "full" or self.dead):
            raise ValueError("basis is lift, which is taken whole: set rank to full, and dead to false")
        return self
