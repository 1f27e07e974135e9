"""Which JiT is trained: a named size, and the few numbers that studies vary."""

from typing import Literal, NamedTuple

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from asymflow.config.network import Network


class Size(NamedTuple):
    """The dimensions of one network."""

    width: int  # channels of a token
    depth: int  # transformer blocks
    heads: int  # attention heads; width / heads channels each
    bottleneck: int  # channels between the two matrices of the patch embedding; 0: a single matrix
    dropout: float  # share of activations dropped, in the middle half of the blocks
    context: int  # class tokens that join the image tokens
    enters: int  # block, counted from 0, at whose input they join
    hidden: int | None = None  # channels inside the MLPs; None: 8/3 of the width


# B to G: Li and He, Back to Basics: Let Denoising Generative Models Denoise (JiT), 2025, and its code.
# fmt: off
SIZES = {
    #             width  depth  heads  bottleneck  dropout  context  enters
    "tiny":  Size(  192,     4,     3,        128,     0.0,       4,      1),
    "B":     Size(  768,    12,    12,        128,     0.0,      32,      4),
    "L":     Size( 1024,    24,    16,        128,     0.0,      32,      8),
    "H":     Size( 1280,    32,    16,        256,     0.2,      32,     10),
    "G":     Size( 1664,    40,    16,        256,     0.2,      32,     10),
}
# fmt: on


class JiT(Network):
    """The plain transformer over pixel patches that AsymFlow trains from scratch."""

    kind: Literal["jit"] = "jit"

    size: Literal["tiny", "B", "L", "H", "G"] = "tiny"
    """Named size (`SIZES`); tiny trains in minutes on two processor cores, B to G are those of the JiT paper."""

    width: PositiveInt | None = None
    """Channels of a token; null: those of the size. Heads keep theirs (64 at tiny, B, L); there are more or fewer."""

    bottleneck: NonNegativeInt | None = None
    """Channels between the two matrices of the patch embedding; null: those of the size; 0: a single matrix, no bottleneck."""

    hidden: PositiveInt | None = None
    """Channels inside the MLP of a block; null: 8/3 of the width. A network with more parts has fewer, so that it takes
    the same operations at the same width."""

    dropout: float | None = Field(None, ge=0, lt=1)
    """Share of activations dropped in the middle half of the blocks; null: that of the size."""

    @model_validator(mode="after")
    def _possible(self) -> "JiT":
        size = SIZES[self.size]
        head = size.width // size.heads
        if self.width is not None and self.width % head:
            raise ValueError(
                f"width is {self.width}; at size {self.size} a head has {head} channels: give a multiple of {head}"
            )
        return self

    @property
    def dimensions(self) -> Size:
        """The dimensions of the named size with this section's overrides."""
        size = SIZES[self.size]
        if self.width is not None:
            size = size._replace(width=self.width, heads=self.width * size.heads // size.width)
        own = {"bottleneck": self.bottleneck, "hidden": self.hidden, "dropout": self.dropout}
        return size._replace(**{name: value for name, value in own.items() if value is not None})

    @property
    def blocks(self) -> int:
        return self.dimensions.depth

    @property
    def first_channels(self) -> int:
        return self.dimensions.bottleneck or self.dimensions.width
