"""Teachers of representation alignment: pixels in [-1, 1] to tokens, frozen.

A gradient passes through them to pixels that want one; who wants none says so.

Letters in shapes: b images, n tokens, e channels.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from asymflow.metrics.tower import ImageTower
from asymflow.metrics.tower import load as load_tower

DINOV2 = "facebook/dinov2-base"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class LocalTeacher(nn.Module):
    """The image tower of the local evaluator. A run that learns from it is judged by its own teacher: say so beside scores."""

    def __init__(self, tower: ImageTower, image_size: int):
        super().__init__()
        self.tower, self.image_size = tower.requires_grad_(False).eval(), image_size
        self.width = tower.projection.shape[0]

    @classmethod
    def load(cls, path: Path, device: torch.device) -> "LocalTeacher":
        """The tower in a file of stage fit_evaluator."""
        tower, config = load_tower(path)
        return cls(tower, config.image_size).to(device)

    def forward(self, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n e"]:
        return self.tower.view(resized(pixels, self.image_size, "bilinear")).tokens


class DinoTeacher(nn.Module):
    """DINOv2, as the official REPA variant of AsymFlow shows it images: 14 of its pixels for every 16 of ours.

    Bicubic with antialiasing, clamped to the gamut, normalised by ImageNet's statistics; the patch tokens after the last
    norm, without the class token.
    """

    def __init__(self, network: nn.Module, patch_size: int):
        super().__init__()
        self.network = network.requires_grad_(False).eval()
        self.patch_size, self.width = patch_size, network.config.hidden_size
        mean, std = (torch.tensor(x)[:, None, None] for x in (IMAGENET_MEAN, IMAGENET_STD))
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    @classmethod
    def load(cls, name: str, patch_size: int, device: torch.device) -> "DinoTeacher":
        """The network of that name in the Hugging Face cache, or in a folder; nothing is downloaded.

        Raises ValueError when it is not there.
        """
        from transformers import Dinov2Model  # loads slowly, and only this teacher needs it

        try:
            network = Dinov2Model.from_pretrained(name, local_files_only=True, use_safetensors=True)
        except OSError as error:
            raise ValueError(
                f"the teacher {name} is not in the Hugging Face cache; fetch it once with"
                f" `hf download {name}`, or set losses.alignment.teacher to local"
            ) from error
        return cls(network, patch_size).to(device)

    def forward(self, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n e"]:
        side = pixels.shape[-1] // self.patch_size * self.network.config.patch_size
        shown = (resized(pixels, side, "bicubic").clamp(-1, 1) + 1) / 2
        with coarse_products(pixels.device):  # in float32 it would take longer than the network that learns from it
            seen = self.network(pixel_values=(shown - self.mean) / self.std)
        return seen.last_hidden_state[:, 1:].float()


@contextmanager
def coarse_products(device: torch.device) -> Iterator[None]:
    """Lets a GPU take matrix products of float32 in TF32, which has 10 bits; a processor keeps its own."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if device.type == "cuda" else before)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def resized(pixels: Float[Tensor, "b 3 h w"], side: int, mode: str) -> Float[Tensor, "b 3 side side"]:
    """Images resized with antialiasing, or as they are where they have that size."""
    if pixels.shape[-2:] == (side, side):
        return pixels
    return interpolate(pixels, (side, side), mode=mode, align_corners=False, antialias=True)
