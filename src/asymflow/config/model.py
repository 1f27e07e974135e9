"""Which network is trained: a named size of JiT, and the few numbers that studies vary."""

from typing import Literal, NamedTuple

from pydantic import model_validator

from asymflow.config.colour import Colour
from asymflow.config.section import Section


class Size(NamedTuple):
    """The dimensions of one network."""

    width: int  # channels of a token
    depth: int  # transformer blocks
    heads: int  # attention heads; width / heads channels each
    bottleneck: int  # channels between the two matrices of the patch embedding
    dropout: float  # share of activations dropped, in the middle half of the blocks
    context: int  # class tokens that join the image tokens
    enters: int  # block, counted from 0, at whose input they join


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


class Model(Section):
    size: Literal["tiny", "B", "L", "H", "G"] = "tiny"
    """Named size (`SIZES`); tiny trains in minutes on two processor cores, B to G are those of the JiT paper."""

    patch_size: int = 16
    """Side of a square patch in pixels; a token is one patch of patch_size^2 * 3 numbers."""

    colour: Colour = "rgb"
    """Colour space of the pixels that the network works in: rgb in [-1, 1], or oklab, normalised, as AsymFLUX.2 has it.

    Samples are RGB images whichever it is.
    """

    embed_pca: int = 8
    """Channels of the patch embedding's bottleneck that start as the first PCA directions, the others at random.

    It sets the start of training alone; the rank of the prediction target is set elsewhere and is independent of it.
    """

    width: int | None = None
    """Channels of a token; null: those of the size. Heads keep theirs (64 at tiny, B, L); there are more or fewer."""

    dropout: float | None = None
    """Share of activations dropped in the middle half of the blocks, from 0 to below 1; null: that of the size."""

    @model_validator(mode="after")
    def _possible(self):
        size = SIZES[self.size]
        head = size.width // size.heads
        if self.patch_size < 1:
            raise ValueError(f"patch_size is {self.patch_size}; give the side of a patch in pixels, 1 or more.")
        if self.width is not None and (self.width < 1 or self.width % head):
            raise ValueError(
                f"width is {self.width}; at size {self.size} a head has {head} channels: give a multiple of {head}."
            )
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; give a share from 0 to below 1.")
        largest = min(size.bottleneck, self.patch_size**2 * 3)
        if not 0 <= self.embed_pca <= largest:
            raise ValueError(
                f"embed_pca is {self.embed_pca}; give 0 to {largest}, the smaller of the bottleneck of size {self.size}"
                f" ({size.bottleneck}) and the numbers in a patch ({self.patch_size**2 * 3})."
            )
        return self

    @property
    def dimensions(self) -> Size:
        """The dimensions of the named size with this section's overrides."""
        size = SIZES[self.size]
        if self.width is not None:
            size = size._replace(width=self.width, heads=self.width * size.heads // size.width)
        if self.dropout is not None:
            size = size._replace(dropout=self.dropout)
        return size
