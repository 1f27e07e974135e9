"""Configuration of the target whose subspace opens with time."""

from typing import Literal

from pydantic import NonNegativeInt

from asymflow.config.section import Section
from asymflow.config.subspace import Basis


class Opening(Section):
    """y = min(1, (1 - t) / t) P eps - x_0: data at noise, AsymFlow from the middle on."""

    kind: Literal["opening"] = "opening"

    rank: NonNegativeInt = 8
    """Dimensions of the subspace within each patch."""

    basis: Basis = "pca"
    """What spans it."""
