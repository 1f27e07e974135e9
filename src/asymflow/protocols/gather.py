"""Published protocols: how a set of images is scored where a number bears a published name.

Two numbers called FID are comparable only if network, resizing, reference and counts are the same. Each protocol is one module,
its columns bear its name, and nothing else in the project may use that name.

    NETWORK                                        makes the network that it looks with (`networks`)
    measure(network, images) -> tensors            what is kept of a batch of uint8 images (b, 3, h, w), by name
    compare(seen, reference, real) -> numbers      of everything that was kept; `real` is the same of the reference's images

    adm               ADM's evaluator: ImageNet's usual FID, IS, precision and recall
    torch_fidelity    JiT's: the package torch-fidelity, against JiT's statistics
    clean             the package clean-fid: resized as Pillow does, without rounding
    t2i               LakonLab's for captions: antialiased resizing to 299, and FID of the central 299 pixels
"""

from collections.abc import Iterator
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from asymflow.progress import Progress
from asymflow.protocols.networks import Network

BATCH = 100  # images that a network sees at a time


def gather(module: ModuleType, network: Network, images: Iterator[Tensor], count: int) -> dict[str, Tensor]:
    """What a protocol keeps of so many images that come in batches."""
    kept: list[dict[str, Tensor]] = []
    with Progress("protocol", count, "images") as progress:
        for batch in images:
            kept.append(module.measure(network, batch))
            progress.advance(len(batch))
    return {name: torch.cat([part[name] for part in kept]) for name in kept[0]}


def batches(images: np.ndarray) -> Iterator[Tensor]:
    """uint8 images (b, 3, h, w)."""
    for first in range(0, len(images), BATCH):
        yield torch.from_numpy(np.array(images[first : first + BATCH])).permute(0, 3, 1, 2).contiguous()
