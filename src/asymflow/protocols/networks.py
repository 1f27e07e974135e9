"""The networks of the published protocols, from files that are what they are called by their whole SHA-256. Nothing is fetched.

Both are ports of one TensorFlow graph, Inception of 2015, from which all published numbers come. One unpickles and the other is a
program, so nothing but the published file may be opened.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from asymflow.metrics import inception
from asymflow.metrics.inception import TENSORFLOW_PORT, File, checked

ELSEWHERE = "name the folder that has it in protocols.folder"
TORCHSCRIPT = File(
    "inception-2015-12-05.pt",
    "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",
    "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/inception-2015-12-05.pt",
)


class Look(NamedTuple):
    """What a network gives for a batch."""

    features: Float[Tensor, "b 2048"]
    logits: Float[Tensor, "b 1008"] | None  # without bias, as published scores take them; None where it has none


Network = Callable[[Tensor], Look]


def tensorflow_port(folder: Path, device: torch.device) -> Network:
    """torch-fidelity's port: uint8 images of any size, resized as TensorFlow 1 did."""
    network = inception.load(checked(TENSORFLOW_PORT, folder / TENSORFLOW_PORT.name, ELSEWHERE), device)

    @torch.inference_mode()
    def look(images: Tensor) -> Look:
        return Look(*(values.cpu() for values in network(images.to(device))))

    return look


def torchscript(folder: Path, device: torch.device) -> Network:
    """NVIDIA's port as clean-fid calls it: float images of 299 pixels in [0, 255]."""
    path = checked(TORCHSCRIPT, folder / TORCHSCRIPT.name, ELSEWHERE)
    from cleanfid.inception_torchscript import InceptionV3W

    network = InceptionV3W(str(path.parent), download=False, resize_inside=False).to(device)

    @torch.inference_mode()
    def look(images: Tensor) -> Look:
        return Look(network(images.to(device)).cpu(), None)

    return look
