"""The networks that look at images for the metrics: one trained here, and the published Inception. One interface.

    evaluator.name                    "local" or "inception"
    evaluator.names                   what its metrics are called
    evaluator.digest                  of its weights; numbers with different digests must not be compared
    evaluator.look(images)            features and class probabilities in one pass
    evaluator.crops(images, ...)      what its patch distance looks at

Letters in shapes: b images, h and w their sides, d features, c classes, s the side of a crop.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from asymflow import tensors
from asymflow.config.evaluator import INCEPTION
from asymflow.config.evaluator import Evaluator as Config
from asymflow.metrics import inception
from asymflow.metrics.crops import centre_crops, half_side, random_crops
from asymflow.metrics.probe import Probe
from asymflow.metrics.tower import ImageTower, features, to_pixels
from asymflow.metrics.tower import load as load_tower


class Names(NamedTuple):
    """What an evaluator's metrics are called. None bears a published name: those are of protocols (`asymflow.protocols`)."""

    frechet: str
    kernel: str
    score: str
    precision: str
    recall: str
    patch_frechet: str


class Look(NamedTuple):
    """What an evaluator sees in images."""

    features: Float[Tensor, "b d"]
    probabilities: Float[Tensor, "b c"]


@runtime_checkable
class Evaluator(Protocol):
    """See the head of this module."""

    name: str
    names: Names
    digest: str

    def look(self, images: UInt8[Tensor, "b 3 h w"]) -> Look: ...

    def crops(self, images: UInt8[Tensor, "b 3 h w"], first: int, seed: int) -> UInt8[Tensor, "b 3 s s"]: ...


def load(evaluator: str, device: torch.device) -> Evaluator:
    """The evaluator in a file (.pth: Inception weights; others: the local one), or `inception` from torch's cache."""
    if evaluator == INCEPTION:
        return InceptionEvaluator.load(
            Path(torch.hub.get_dir()) / "checkpoints" / inception.TENSORFLOW_PORT.name, device
        )
    if Path(evaluator).suffix == ".pth":
        return InceptionEvaluator.load(Path(evaluator), device)
    return LocalEvaluator.load(Path(evaluator), device)


def check(evaluator: Evaluator, reference: Path, description: dict[str, Any]) -> None:
    """Raises ValueError unless the reference with this description was made with the evaluator."""
    if evaluator.digest != description["evaluator_digest"]:
        raise ValueError(
            f"{reference} was made with the evaluator {description['evaluator']} {description['evaluator_digest']}, but this"
            f" one is {evaluator.name} {evaluator.digest}; make the reference again (stage reference)"
        )


@dataclass(frozen=True)
class LocalEvaluator:
    """The image tower of the small CLIP trained on the evaluator split, with linear classifiers on its features."""

    tower: ImageTower
    config: Config
    offset: Float[Tensor, "d"]  # mean and standard deviation of the features on the evaluator split
    scale: Float[Tensor, "d"]
    probes: dict[str, Probe]  # of the class, under CLASS, and of each attribute
    values: dict[str, list[str]]  # what the probes distinguish
    digest: str = ""

    CLASS = "class"
    name = "local"
    names = Names("fid_local", "kid_local", "is_local", "precision_local", "recall_local", "patch_fid_local")

    @classmethod
    def load(cls, path: Path, device: torch.device) -> "LocalEvaluator":
        """The evaluator in a file that stage fit_evaluator wrote. Raises ValueError for any other file."""
        tower, config = load_tower(path)
        description = tensors.describe(path, "evaluator")
        loaded = {name: tensor.to(device) for name, tensor in tensors.load(path, "evaluator").items()}
        probes = {
            name: Probe(loaded[f"probe.{name}.weight"], loaded[f"probe.{name}.bias"]) for name in description["values"]
        }
        digest = description["checksum"][:12]
        return cls(
            tower.to(device).eval(), config, loaded["offset"], loaded["scale"], probes, description["values"], digest
        )

    @torch.inference_mode()
    def features(self, images: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """Standardised features: textures and content, each dimension of variance 1 on the evaluator split."""
        pixels = to_pixels(images.to(self.offset.device), self.config.image_size)
        return (features(self.tower.view(pixels)) - self.offset) / self.scale

    @torch.inference_mode()
    def look(self, images: UInt8[Tensor, "b 3 h w"]) -> Look:
        """Features, and the probe's class probabilities."""
        features = self.features(images)
        return Look(features, self.probes[self.CLASS].probabilities(features))

    @torch.inference_mode()
    def attributes(self, images: UInt8[Tensor, "b 3 h w"]) -> list[dict[str, str]]:
        """What the probes read in each image: the most probable value of every attribute."""
        features = self.features(images)
        read = {
            name: [self.values[name][i] for i in probe.probabilities(features).argmax(1).tolist()]
            for name, probe in self.probes.items()
            if name != self.CLASS
        }
        return [dict(zip(read, values, strict=True)) for values in zip(*read.values(), strict=True)]

    def crops(self, images: UInt8[Tensor, "b 3 h w"], first: int, seed: int) -> UInt8[Tensor, "b 3 s s"]:
        """A square of half the image's side at a random place; the network sees it enlarged."""
        return random_crops(images, first, side=half_side(*images.shape[-2:]), seed=seed)


@dataclass(frozen=True)
class InceptionEvaluator:
    """The Inception-v3 of the published FID, in torch-fidelity's port of the TensorFlow graph."""

    inception: nn.Module
    digest: str
    device: torch.device

    name = INCEPTION
    names = Names(
        "fid_inception",
        "kid_inception",
        "is_inception",
        "precision_inception",
        "recall_inception",
        "patch_fid_inception",
    )

    @classmethod
    def load(cls, path: Path, device: torch.device) -> "InceptionEvaluator":
        """The network with the weights in a file. Nothing is ever downloaded.

        Raises ValueError when the file is missing or is not the published one (by its whole SHA-256).
        """
        otherwise = "set TORCH_HOME to a folder that has it as hub/checkpoints/..., or configure 'evaluators: local'"
        file = inception.TENSORFLOW_PORT
        return cls(inception.load(inception.checked(file, path, otherwise), device), file.sha256[:12], device)

    @torch.inference_mode()
    def look(self, images: UInt8[Tensor, "b 3 h w"]) -> Look:
        """The 2048 pooled features, and the softmax of the logits without bias, as published scores take it."""
        features, logits = self.inception(images.to(self.device))
        return Look(features, logits.softmax(1))

    def crops(self, images: UInt8[Tensor, "b 3 h w"], first: int, seed: int) -> UInt8[Tensor, "b 3 s s"]:
        """The central 299 x 299 pixels of larger images; of others, a square of half the side at a random place."""
        if min(images.shape[-2:]) > inception.SIDE:
            return centre_crops(images, side=inception.SIDE)
        return random_crops(images, first, side=half_side(*images.shape[-2:]), seed=seed)
