"""The colour spaces that a network can work in."""

from typing import Literal

Colour = Literal["rgb", "oklab"]
