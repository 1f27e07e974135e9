"""How visible the borders of patches are."""

from collections.abc import Iterable

import torch
from jaxtyping import UInt8
from torch import Tensor


def seams(batches: Iterable[UInt8[Tensor, "_ c h w"]], patch_size: int) -> float:
    """The mean square difference of neighbouring pixels across the borders of patches, over that within patches.

    1 where borders are like any other place, as in images that nobody cut into patches, or of one colour each; 4 where steps are
    twice as high there. The images come in batches, in one pass. Raises ValueError when they have no border, when each of their
    patches is of one colour but not of that of its neighbours, or when there are none.
    """
    across, within = torch.zeros(2, dtype=torch.int64), torch.zeros(2, dtype=torch.int64)  # sum and count
    size = (0, 0)
    for images in batches:
        size = images.shape[2:]
        for dim in (2, 3):
            squares = torch.diff(images.int(), dim=dim).square()
            border = (torch.arange(squares.shape[dim]) + 1) % patch_size == 0
            for sums, where in ((across, border), (within, ~border)):
                chosen = squares.index_select(dim, where.nonzero()[:, 0])
                sums += torch.tensor([chosen.sum().item(), chosen.numel()])
    if not across[1]:
        raise ValueError(
            f"images of {size[0]} x {size[1]} pixels have no border of patches of {patch_size}; expected larger ones"
        )
    if not across[0] and not within[0]:
        return 1.0
    if not within[0]:
        raise ValueError(
            f"every patch of {patch_size} pixels is of one colour, and there is no step within patches to compare those across"
            " borders with; train for longer"
        )
    return ((across[0] / across[1]) / (within[0] / within[1])).item()
