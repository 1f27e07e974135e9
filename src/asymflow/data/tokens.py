"""Pixels as the tokens that an arm works on, and back."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from asymflow.config.arm import Arm
from asymflow.data.colour import from_rgb, to_rgb
from asymflow.subspace.patches import patchify, unpatchify


def to_tokens(pixels: Float[Tensor, "b 3 H W"], arm: Arm) -> Float[Tensor, "b n D"]:
    """Patches, in the arm's colour space and order, of RGB images in [-1, 1]."""
    return patchify(from_rgb(pixels, arm.representation.colour), arm.representation.patch_size, arm.network.order)


def to_pixels(tokens: Float[Tensor, "b n D"], grid: tuple[int, int], arm: Arm) -> Float[Tensor, "b 3 H W"]:
    """RGB images of patches: the inverse of `to_tokens`. Values outside [-1, 1] are left in RGB, clamped from Oklab."""
    return to_rgb(unpatchify(tokens, grid, arm.representation.patch_size, arm.network.order), arm.representation.colour)


def in_gamut(tokens: Float[Tensor, "b n D"], grid: tuple[int, int], arm: Arm) -> Float[Tensor, "b n D"]:
    """Patches whose pixels are colours that RGB has: to [-1, 1] and back.          [AsymFlow's code, clamp_denoised]"""
    return to_tokens(to_pixels(tokens, grid, arm).clamp(-1, 1), arm)


def grid_of(height: int, width: int, patch_size: int) -> tuple[int, int]:
    """Rows and columns of the patches of an image. Raises ValueError unless patches fill it."""
    if height % patch_size or width % patch_size:
        raise ValueError(
            f"patches of {patch_size} x {patch_size} do not fill an image of {height} x {width} pixels; change either one"
        )
    return height // patch_size, width // patch_size


def to_bytes(images: Float[Tensor, "*shape"]) -> UInt8[Tensor, "*shape"]:
    """Pixels in [-1, 1] as bytes, rounded to the nearest; what lies outside is clamped."""
    return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
