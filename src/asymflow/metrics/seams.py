"""How visible the borders of patches are."""

import torch
from jaxtyping import UInt8
from torch import Tensor


def seams(images: UInt8[Tensor, "n c h w"], patch_size: int) -> float:
    """The mean square difference of neighbouring pixels across the borders of patches, over that within patches.

    1 where borders are like any other place, as in images that nobody cut into patches; 4 where steps are twice as high there.
    Raises ValueError when there is no border, or all images are of one colour each.
    """
    across, within = torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)  # sum and count
    for dim in (2, 3):
        squares = torch.diff(images.double(), dim=dim).square()
        border = (torch.arange(squares.shape[dim]) + 1) % patch_size == 0
        for sums, where in ((across, border), (within, ~border)):
            chosen = squares.index_select(dim, where.nonzero()[:, 0])
            sums += torch.tensor([chosen.sum().item(), chosen.numel()], dtype=torch.float64)
    if not across[1] or not within[0]:
        raise ValueError(
            f"images of {images.shape[2]} x {images.shape[3]} pixels have no seams at patches of {patch_size} to measure"
        )
    return ((across[0] / across[1]) / (within[0] / within[1])).item()
