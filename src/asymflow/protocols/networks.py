"""The networks of the published protocols, from files that are what they are called by their whole SHA-256. Nothing is fetched.

Both are ports of one TensorFlow graph, Inception of 2015, from which all published numbers come. One unpickles and the other is a
program, so nothing but the published file may be opened.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

SIDE = 299  # pixels that the network sees


class File(NamedTuple):
    """A published file."""

    name: str
    sha256: str
    url: str


TENSORFLOW_PORT = File(
    "weights-inception-2015-12-05-6726825d.pth",
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
)
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


def checked(file: File, folder: Path) -> Path:
    """Where a published file lies. Raises ValueError when it is not there, or is another one."""
    path = folder / file.name
    if not path.is_file():
        raise ValueError(f"{path} is not there; fetch {file.url} and put it there (protocols.folder)")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != file.sha256:
        raise ValueError(f"{path} has the SHA-256 {digest}, not {file.sha256}; fetch {file.url} again")
    return path


def tensorflow_port(folder: Path, device: torch.device) -> Network:
    """torch-fidelity's port: uint8 images of any size, resized as TensorFlow 1 did."""
    path = checked(TENSORFLOW_PORT, folder)
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    layers = ["2048", "logits_unbiased"]
    network = FeatureExtractorInceptionV3("inception", layers, feature_extractor_weights_path=str(path)).to(device)

    @torch.inference_mode()
    def look(images: Tensor) -> Look:
        return Look(*(values.cpu() for values in network(images.to(device))))

    return look


def torchscript(folder: Path, device: torch.device) -> Network:
    """NVIDIA's port as clean-fid calls it: float images of 299 pixels in [0, 255]."""
    path = checked(TORCHSCRIPT, folder)
    from cleanfid.inception_torchscript import InceptionV3W

    network = InceptionV3W(str(path.parent), download=False, resize_inside=False).to(device)

    @torch.inference_mode()
    def look(images: Tensor) -> Look:
        return Look(network(images.to(device)).cpu(), None)

    return look
