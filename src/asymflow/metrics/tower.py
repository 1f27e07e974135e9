"""The image tower of the local evaluator: strided convolutions, then a small transformer over the patches.

A plain vision transformer with patches of 16 pixels hardly learns textures from a few thousand images, and this network
is here to see them: its stem of convolutions learns them within ten passes. It needs nothing but torch, so that scoring
does not load the libraries that training takes.

Letters in shapes: b images, h and w their sides, n tokens (one a patch), c channels, e the shared space, d features.
"""

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn.functional import interpolate

from asymflow import tensors
from asymflow.config.evaluator import Evaluator

PREFIX = "clip.visual."  # of the tower's weights in an evaluator's file
FAINT = 0.1  # of the usual size: textures are learned sooner (after 4 epochs 73 % of classes known instead of 64 %)


class View(NamedTuple):
    """What the image tower sees in images."""

    stages: list[Float[Tensor, "b _c _h _w"]]  # maps after each halving of the resolution
    tokens: Float[Tensor, "b n c"]  # raster order
    embedding: Float[Tensor, "b e"]  # not normalised


class ImageTower(nn.Module):
    """Convolutions that halve the resolution down to one position a patch, then a transformer over these."""

    def __init__(self, config: Evaluator):
        super().__init__()
        halvings = config.patch_size.bit_length() - 1
        channels = [3] + [min(config.stem_width << i, config.width) for i in range(halvings)]
        self.stem = nn.ModuleList(_halving(i, o) for i, o in pairwise(channels))
        self.to_tokens = nn.Conv2d(channels[-1], config.width, kernel_size=1)
        tokens = (config.image_size // config.patch_size) ** 2
        self.position = nn.Parameter(torch.randn(tokens, config.width) * config.width**-0.5)
        self.transformer = nn.Sequential(*(_block(config.width, config.heads) for _ in range(config.depth)))
        self.norm = nn.LayerNorm(config.width)
        self.projection = nn.Parameter(torch.randn(config.width, config.embedding) * config.width**-0.5)

    def view(self, pixels: Float[Tensor, "b 3 h w"]) -> View:
        """Everything at once; pixels in [-1, 1]."""
        stages, x = [], pixels.contiguous(memory_format=torch.channels_last)
        for stage in self.stem:
            x = stage(x)
            stages.append(x)
        tokens = self.norm(self.transformer(self.to_tokens(x).flatten(2).mT + self.position))  # (b, n, c)
        return View(stages, tokens, tokens.mean(1) @ self.projection)

    def forward(self, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b e"]:
        """The embedding, as open_clip expects it."""
        return self.view(pixels).embedding


def load(path: Path) -> tuple[ImageTower, Evaluator]:
    """The tower in a file of stage fit_evaluator, with its configuration. Raises ValueError for any other file."""
    description = tensors.describe(path, "evaluator")
    config = Evaluator.model_validate(description["config"])
    tower = ImageTower(config)
    loaded = tensors.load(path, "evaluator")  # all of it: a file with damage anywhere is not used
    tower.load_state_dict(
        {name.removeprefix(PREFIX): value for name, value in loaded.items() if name.startswith(PREFIX)}
    )
    return tower, config


def _halving(inputs: int, outputs: int) -> nn.Sequential:
    # ReLU: on a CPU, GELU on maps of this size takes longer than the convolution
    convolution = nn.Conv2d(inputs, outputs, kernel_size=3, stride=2, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


def _block(width: int, heads: int) -> nn.Module:
    """A pre-norm transformer block whose branches start faint, so that the tower starts as a convolutional network."""
    block = nn.TransformerEncoderLayer(
        width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    for last in (block.self_attn.out_proj, block.linear2):
        last.weight.data *= FAINT
    return block


def to_pixels(images: UInt8[Tensor, "b 3 h w"], size: int) -> Float[Tensor, "b 3 size size"]:
    """Images as the tower takes them: [-1, 1], resized with antialiasing where they have another size."""
    pixels = images.float() / 127.5 - 1
    if images.shape[-2:] == (size, size):
        return pixels
    return interpolate(pixels, (size, size), mode="bilinear", align_corners=False, antialias=True)


def features(view: View) -> Float[Tensor, "b d"]:
    """What distances are taken on: spatial means of the stem's middle stages (texture) and of the tokens (content).

    The first stage sees little more than colour, the last has the resolution of the tokens: both only add dimensions.
    """
    return torch.cat([stage.mean((2, 3)) for stage in view.stages[1:-1]] + [view.tokens.mean(1)], dim=1)
