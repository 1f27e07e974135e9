"""Configuration of one study: which arms are compared, and how."""

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from asymflow.config.section import Section


class Study(Section):
    """A list of arms, seeds and sampling settings that gives one table and its figure."""

    title: str
    """What the study asks; heads its figure."""

    source: str | None = None
    """What it repeats, for instance a figure of the paper; shown in the report."""

    arms: tuple[str, ...] = Field(min_length=1)
    """Arms in the order of the table."""

    reference: str
    """The arm that the others are compared with, seed by seed."""

    samplings: tuple[str, ...] = Field(min_length=1)
    """Sampling settings; each arm is measured under every one."""

    seeds: PositiveInt | None = None
    """How many seeds are run (0, 1, ...); None takes the workflow's number."""

    figure: Literal["bars", "rank", "convergence", "guidance", "width", "bases", "systems", "data", "suite"] = "bars"
    """How it is drawn: one mark for each arm; the metric against the target's rank, the images seen, the network's width, or the
    number of training images, with memorisation; the surface of a guidance search; one mark for each arm beside the directions of
    its subspace, or beside the published systems; or the metrics of the validation suite."""

    published: str | None = None
    """A table in workflow/published/ whose columns join ours by arm, and by sampling setting where it names them."""

    systems: str | None = None
    """A table in workflow/published/ whose rows are other systems, added below ours."""

    @model_validator(mode="after")
    def _consistent(self):
        for name, values in (("arms", self.arms), ("samplings", self.samplings)):
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"{name} lists {', '.join(twice)} more than once")
        if self.reference not in self.arms:
            raise ValueError(f"the reference {self.reference!r} is not among the study's arms: {', '.join(self.arms)}")
        return self
