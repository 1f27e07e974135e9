"""Configuration of what is published of a run."""

from asymflow.config.section import Section


class Publishing(Section):
    """What a folder that others load says beside what the run's records say."""

    licence: str = ""
    """Under which terms the weights may be used; empty: the card says that none was named."""
