"""Which NanoDiT is trained: a named size, and what studies vary in it."""

from typing import Literal, NamedTuple

from pydantic import Field, PositiveInt

from asymflow.config.network import Network


class Size(NamedTuple):
    """The dimensions of one network; a head has 64 channels."""

    width: int  # channels of a token
    depth: int  # transformer blocks
    heads: int  # attention heads


# small and production are those of prx-tg; its blog calls the latter 400 M parameters, its code has 239.6 M
# fmt: off
SIZES = {
    #                    width  depth  heads
    "embedded":   Size(    192,     4,     3),
    "small":      Size(    384,    12,     6),
    "production": Size(    768,    18,    12),
}
# fmt: on


class NanoDiT(Network):
    """The network of prx-tg: a transformer over pixel patches that attends to its conditions."""

    kind: Literal["nanodit"] = "nanodit"

    size: Literal["embedded", "small", "production"] = "embedded"
    """Named size (`SIZES`); embedded trains in minutes on two processor cores."""

    modulation_start: Literal["zero", "xavier"] = "zero"
    """How the modulations start. zero: they change nothing at first, as adaLN is meant to; xavier: at random, as in the public
    code, where a later initialisation of all matrices overwrites the zeros."""

    modulation: Literal["own", "shared"] = "own"
    """Where the shifts and scales of a block come from: a matrix of its own, or one for all blocks plus a low-rank update."""

    modulation_rank: PositiveInt = 16
    """Rank of each block's update of the shared modulation."""

    mixer: Literal["attention", "scan"] = "attention"
    """What mixes image tokens: self-attention, or a state-space model that scans them in both directions."""

    tread: float = Field(0.0, ge=0, lt=1)
    """TREAD: share of the image tokens that bypass the blocks between the first and the last in training, the same for a whole
    batch; 0 is none, prx-tg's is 0.5. A network that was trained so can guide itself by routing."""

    @property
    def dimensions(self) -> Size:
        """The dimensions of the named size."""
        return SIZES[self.size]

    @property
    def blocks(self) -> int:
        return self.dimensions.depth

    @property
    def first_channels(self) -> int:
        return self.dimensions.width

    @property
    def bypass(self) -> float:
        return self.tread
