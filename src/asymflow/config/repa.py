"""Configuration of representation alignment."""

from typing import Literal

from pydantic import NonNegativeFloat, PositiveInt

from asymflow.config.section import Section


class Repa(Section):
    """REPA: features inside the network are drawn towards those that a teacher sees in the clean image."""

    weight: NonNegativeFloat = 0.0
    """Weight of the alignment beside the flow matching loss; 0 is none. The paper's is 0.5."""

    block: PositiveInt = 2
    """Blocks that the aligned features have passed. The paper's is 8, of 32."""

    width: PositiveInt = 2048
    """Channels inside the projector from the network's features to the teacher's."""

    teacher: Literal["local", "dinov2"] = "local"
    """Whose features: the image tower of the evaluator that is trained here, or DINOv2-B."""
