"""Configuration of x_0-prediction behind a low-pass."""

from typing import ClassVar, Literal

from asymflow.config.section import Section
from asymflow.config.subspace import Basis


class Forced(Section):
    """Spectral Forcing: x_0-prediction of a network that sees its input through a low-pass, which opens with time."""

    kind: Literal["forced"] = "forced"

    basis: ClassVar[Basis] = "pca"  # of the file that says how many numbers a patch has
