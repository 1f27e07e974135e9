"""Where the networks and the references of published protocols lie."""

from typing import Literal

from pydantic import Field

from asymflow.config.place import Place
from asymflow.config.section import Section

Protocol = Literal["adm", "torch_fidelity", "clean", "t2i"]


class Protocols(Section):
    """Files that others published. Nothing is fetched: a message says which file goes where."""

    folder: Place = Field("models", min_length=1)
    """Folder of the networks: weights-inception-2015-12-05-6726825d.pth, and inception-2015-12-05.pt for clean."""

    adm: Place | None = None
    """ADM's reference, VIRTUAL_imagenet256_labeled.npz for ImageNet at 256 pixels. Null, here and below: the training images."""

    torch_fidelity: Place | None = None
    """JiT's statistics, jit_in256_stats.npz."""

    clean: Place | None = None
    """Statistics of clean-fid."""

    t2i: Place | None = None
    """Statistics of real images with captions."""
