"""Configuration of the captions that are made for images that have none."""

from pydantic import PositiveInt

from asymflow.config.section import Section


class Captions(Section):
    """Which network describes the images."""

    model: str | None = None
    """A Qwen2.5-VL: a folder, or a name in the Hugging Face cache such as Qwen/Qwen2.5-VL-7B-Instruct. None: the set's own
    captions."""

    prompt: str = "Describe this image in one detailed sentence."
    """What it is asked of each image."""

    tokens: PositiveInt = 96
    """Maximum tokens of an answer."""

    batch: PositiveInt = 8
    """Images described together."""
