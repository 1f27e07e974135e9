"""Configuration of the target with one share of the noise in every direction."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from asymflow.config.section import Section
from asymflow.config.subspace import Basis


class Isotropic(Section):
    """k-Diff: y = s eps - x_0, the same share s of the noise in every direction; s = (1 - k) / k of the paper's k."""

    kind: Literal["isotropic"] = "isotropic"

    share: float = Field(0.0, ge=0, le=1)
    """The share: 0 is x_0-prediction, 1 velocity prediction, r / D passes as much noise as a projector of rank r."""

    learnt: bool = False
    """Whether that is only where it begins, and it is trained along, as k-Diff does. The training curve has its k."""

    basis: ClassVar[Basis] = "pca"  # of the file that says how many numbers a patch has

    @model_validator(mode="after")
    def _begins_somewhere(self) -> "Isotropic":
        if self.learnt and not self.share:
            raise ValueError(
                "share is 0, from which none can be learnt: give what it begins as; k-Diff's k = 0.5 is share 1"
            )
        return self
