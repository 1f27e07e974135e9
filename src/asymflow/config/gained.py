"""Configuration of JiT with its input in its output."""

from typing import Literal

from asymflow.config.jit import JiT


class Gained(JiT):
    """JiT whose output has a learnt share of the noisy input, one for each number of a patch, by time and condition."""

    kind: Literal["gained"] = "gained"  # type: ignore[assignment]
