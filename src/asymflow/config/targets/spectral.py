"""Configuration of the target whose shares of the noise follow a spectrum."""

from typing import Literal

from asymflow.config.section import Section
from asymflow.config.subspace import Basis


class Spectral(Section):
    """y = S eps - x_0 with a share for each direction, by the data's variance there (`flow.shares.least_copying`)."""

    kind: Literal["spectral"] = "spectral"

    basis: Basis = "pca"
    """Directions and variances, as stage fit_subspace writes them."""

    shuffled: bool = False
    """Whether the same shares are given to the directions in a random order: the control of the spectrum."""
