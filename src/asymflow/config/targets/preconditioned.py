"""Configuration of EDM's preconditioning as a target."""

from typing import ClassVar, Literal

from pydantic import PositiveFloat

from asymflow.config.section import Section
from asymflow.config.subspace import Basis


class Preconditioned(Section):
    """EDM: input and output of the network have unit variance at every noise level (`flow.preconditioned`)."""

    kind: Literal["preconditioned"] = "preconditioned"

    deviation: PositiveFloat | None = None
    """The data's standard deviation; null takes that of the training images. EDM's own number is 0.5."""

    basis: ClassVar[Basis] = "pca"  # of the file whose spectrum holds the deviation
