"""torch-fidelity's port of Inception of 2015, by its whole SHA-256: torch-fidelity unpickles the file, so no other is opened.

Nothing is ever fetched.
"""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import torch

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


def checked(file: File, path: Path, otherwise: str) -> Path:
    """The place of a published file, given back. Raises ValueError when it is not there, or is another one.

    `otherwise` says what else can be done where it is not there.
    """
    if not path.is_file():
        raise ValueError(f"{path} is not there; download {file.url} to that place, or {otherwise}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != file.sha256:
        raise ValueError(f"{path} has the SHA-256 {digest}, not {file.sha256}; download {file.url} again")
    return path


def load(path: Path, device: torch.device) -> Any:
    """The network in a file that was checked: uint8 images of any size to 2048 pooled features, and the logits without bias."""
    # torch-fidelity loads libraries that nothing else has a use for
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    layers = ["2048", "logits_unbiased"]
    network = FeatureExtractorInceptionV3("inception", layers, feature_extractor_weights_path=str(path))
    return network.to(device).eval()
