"""Configuration of one release: weights that others published, and the number that they published for them."""

from pydantic import Field

from asymflow.config.protocols import Protocol
from asymflow.config.section import Section


class Release(Section):
    """An arm of released weights, sampled and scored as its makers did, beside what they found: a row of `released.csv`."""

    arm: str
    """The arm, which has `start.released`."""

    sampling: str
    """The sampling setting, with their solver, guidance and interval."""

    protocol: Protocol
    """The protocol of their numbers."""

    published: dict[str, float] = Field(min_length=1)
    """Their numbers, by the names that the protocol gives ours."""

    source: str
    """Where they stand."""
