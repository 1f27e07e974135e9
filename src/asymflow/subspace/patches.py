"""Cutting images into patch tokens and putting them together again."""

from jaxtyping import Shaped
from torch import Tensor

from asymflow.config.representation import Order

CHANNEL_LAST: Order = "row column channel"
CHANNEL_FIRST: Order = "channel row column"


def patchify(
    images: Shaped[Tensor, "b c h w"], patch_size: int, order: Order = CHANNEL_LAST
) -> Shaped[Tensor, "b n D"]:
    """The patches of each image as tokens, in raster order; D = patch_size^2 c. Raises where the size does not divide."""
    b, c, h, w = images.shape
    p = patch_size
    if h % p or w % p:
        raise ValueError(
            f"an image of {h}x{w} pixels cannot be cut into patches of {p}x{p}: {p} must divide both sides"
        )
    blocks = images.reshape(b, c, h // p, p, w // p, p)
    inner = (3, 5, 1) if order == CHANNEL_LAST else (1, 3, 5)
    return blocks.permute(0, 2, 4, *inner).reshape(b, (h // p) * (w // p), p * p * c)


def unpatchify(
    tokens: Shaped[Tensor, "b n D"], grid: tuple[int, int], patch_size: int, order: Order = CHANNEL_LAST
) -> Shaped[Tensor, "b c h w"]:
    """The images whose patches are `tokens`; `grid` counts patch rows and columns. The inverse of `patchify`."""
    b, n, _ = tokens.shape
    (rows, columns), p = grid, patch_size
    if rows * columns != n:
        raise ValueError(f"{n} tokens do not fill a grid of {rows} x {columns} patches")
    if order == CHANNEL_LAST:
        blocks = tokens.reshape(b, rows, columns, p, p, -1).permute(0, 5, 1, 3, 2, 4)
    else:
        blocks = tokens.reshape(b, rows, columns, -1, p, p).permute(0, 3, 1, 4, 2, 5)
    return blocks.reshape(b, -1, rows * p, columns * p)
