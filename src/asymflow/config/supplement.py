"""Configuration of the page that shows studies as a paper's supplement does."""

from pydantic import Field, model_validator

from asymflow.config.section import Section, wrong


class Supplement(Section):
    """What `supplement.html` shows."""

    studies: tuple[str, ...] | None = Field(None, min_length=1)
    """Studies in the order of the page; null: all of the scale."""

    claims: bool = False
    """Whether the table of claims comes first. It decides every claim, with as many seeds as that takes."""

    @model_validator(mode="after")
    def _lists_each_once(self) -> "Supplement":
        if self.studies and len(set(self.studies)) < len(self.studies):
            raise wrong("studies", list(self.studies), "each study once")
        return self
