"""The Inception of 2015, from which all published numbers come, in torch-fidelity's port of the TensorFlow graph.

torch-fidelity unpickles its weights, so nothing but the published file, known by its whole SHA-256, may be handed to it.
Nothing is fetched.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

SIDE = 299  # pixels that the network sees


class File(NamedTuple):
    """A published file."""

    name: str
    sha256: str
    url: str


PORT = File(
    "weights-inception-2015-12-05-6726825d.pth",
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
)


def check(path: Path, file: File, otherwise: str) -> None:
    """Raises ValueError when a published file is not at the path, saying what else can be done, or when another one is."""
    if not path.is_file():
        raise ValueError(f"{path} is not there; fetch {file.url} and put it there ({otherwise})")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != file.sha256:
        raise ValueError(f"{path} has the SHA-256 {digest}, not {file.sha256}; fetch {file.url} again")


def load(path: Path, device: torch.device, otherwise: str) -> nn.Module:
    """The network: uint8 images of any size to 2048 features and the logits without bias, as published scores take them."""
    check(path, PORT, otherwise)
    # torch-fidelity loads libraries that the local evaluator has no use for
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    layers = ["2048", "logits_unbiased"]
    network = FeatureExtractorInceptionV3("inception", layers, feature_extractor_weights_path=str(path))
    return network.to(device).eval()
