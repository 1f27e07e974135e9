"""Which U-ViT is trained: a JiT whose halves are joined by long skips."""

from typing import Literal

from asymflow.config.jit import JiT


class UViT(JiT):
    """JiT with the long skips of U-ViT: what enters each block of the first half also reaches its mirror image in the second."""

    kind: Literal["uvit"] = "uvit"  # type: ignore[assignment]
