"""Configuration of the captions that text-to-image arms are judged by."""

from pydantic import PositiveInt

from asymflow.config.place import Place
from asymflow.config.section import Section


class Prompts(Section):
    """The captions to draw images for, in order."""

    path: Place | None = None
    """A text file with one caption a line, or a JSONL file whose lines have a `prompt`; None: captions of held-out images."""

    count: PositiveInt = 500
    """How many are drawn, from the first on."""
