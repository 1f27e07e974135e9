"""Which DiT is trained: its dimensions, and whether long skips join its halves."""

from typing import Literal

from pydantic import PositiveInt, model_validator

from asymflow.config.network import Network


class DiT(Network):
    """A plain diffusion transformer over pixel patches, with the long skips of U-ViT or without."""

    kind: Literal["dit"] = "dit"

    width: PositiveInt = 192
    """Channels of a token."""

    depth: PositiveInt = 4
    """Transformer blocks."""

    heads: PositiveInt = 3
    """Attention heads; width / heads channels each."""

    skips: bool = True
    """U-ViT: whether the input of each block of the first half also reaches the block that mirrors it in the second."""

    @model_validator(mode="after")
    def _possible(self) -> "DiT":
        if self.width % (4 * self.heads):
            raise ValueError(
                f"width is {self.width}; the channels of each of {self.heads} heads must be a multiple of 4, because two"
                " axes of positions share them in pairs"
            )
        return self

    @property
    def blocks(self) -> int:
        return self.depth

    @property
    def first_channels(self) -> int:
        return self.width
