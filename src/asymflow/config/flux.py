"""Which FLUX.2 transformer is trained, where it is not a published one."""

from typing import Literal

from pydantic import PositiveFloat, PositiveInt, model_validator

from asymflow.config.network import Network
from asymflow.config.representation import Order

AXES = 4  # of FLUX.2's rotary positions: time, row, column, place in the text


class Flux(Network):
    """Dimensions of a FLUX.2 transformer, which reads captions; the defaults train in minutes on two cores.

    With `latent.model` they are those of the published one.
    """

    kind: Literal["flux"] = "flux"

    heads: PositiveInt = 4
    """Attention heads."""

    head_width: PositiveInt = 48
    """Channels of a head; a multiple of 8, because four axes of positions share them in pairs."""

    double_blocks: PositiveInt = 1
    """Blocks in which image and text have weights of their own."""

    single_blocks: PositiveInt = 4
    """Blocks that both share."""

    mlp_ratio: PositiveFloat = 3.0
    """Hidden channels of an MLP for each channel of a token."""

    @model_validator(mode="after")
    def _consistent(self) -> "Flux":
        if self.head_width % (2 * AXES):
            raise ValueError(f"head_width is {self.head_width}; expected a multiple of {2 * AXES}")
        return self

    @property
    def blocks(self) -> int:  # double ones first
        return self.double_blocks + self.single_blocks

    @property
    def first_channels(self) -> int:
        return self.heads * self.head_width

    @property
    def order(self) -> Order:
        return "channel row column"

    @property
    def any_grid(self) -> bool:
        return True
