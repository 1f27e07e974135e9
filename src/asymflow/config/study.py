"""Configuration of one study: which arms are compared, and how."""

from typing import Literal

from pydantic import Field, model_validator

from asymflow.config.place import Place
from asymflow.config.protocols import Protocol
from asymflow.config.section import Section

# distribution: the samples against the training images. captions: each image against its caption. suite: the answers to the
# validation suite. memorisation: the nearest training image of a sample against its nearest held-out one. second: as
# distribution, by another evaluator that is trained here, for arms that were taught by the first.
Judge = Literal["distribution", "captions", "suite", "memorisation", "second"]
# and what looks at no samples. velocity: its error on held-out images. coupling: how far a lifted arm is from the latent model
# that it began with, from the same noise. And what scores the samples by a published protocol, under its own name
Measure = Literal[Judge, "velocity", "coupling", Protocol]

# reports take it for reStructuredText and figures for mathematics, where other characters can start something else than text
ONE_LINE = r"^[^\x00-\x1f\x7f`|$\\]+$"
NEEDS: dict[str, Judge] = {"suite": "suite", "data": "memorisation"}  # figures that show what one judge measures


class Study(Section):
    """A list of arms, seeds and sampling settings that gives one table and its figure."""

    title: str = Field(pattern=ONE_LINE)
    """What the study asks; heads its figure."""

    source: str | None = Field(None, pattern=ONE_LINE)
    """What it repeats, for instance a figure of the paper; shown in the report."""

    expected: str | None = Field(None, pattern=ONE_LINE)
    """What was expected before the first run, so that it can stand beside what came out."""

    arms: tuple[str, ...] = Field(min_length=1)
    """Arms in the order of the table."""

    reference: str
    """The arm that the others are compared with, seed by seed."""

    samplings: tuple[str, ...] = Field(min_length=1)
    """Sampling settings; each arm is measured under every one."""

    judges: tuple[Measure, ...] = Field(("distribution",), min_length=1)
    """What is measured, in the order of the table's columns. The first Frechet distance among them heads the table, is drawn, and
    is what verdicts speak of: where a loss has seen the evaluator of `distribution`, list `second` before it."""

    seeds: int | None = Field(None, gt=0, le=1000)
    """How many seeds are run (0, 1, ...); null takes the workflow's number."""

    figure: Literal[
        "bars", "rank", "convergence", "guidance", "width", "length", "bases", "systems", "data", "suite", "targets"
    ] = "bars"
    """How it is drawn: one mark for each arm; the metric against the target's rank, the images seen, the network's width, the
    length of training, or the number of training images, with memorisation; the surface of a guidance search; one mark for each
    arm beside the directions of its subspace, or beside the published systems; the metrics of the validation suite; or the metric
    by target and network, and against what the training took."""

    published: Place | None = None
    """A table in workflow/published/ whose columns join ours by arm, and by sampling setting where it names them."""

    systems: Place | None = None
    """A table in workflow/published/ whose rows are other systems, added below ours."""

    @model_validator(mode="after")
    def _consistent(self) -> "Study":
        for name, values in (("arms", self.arms), ("samplings", self.samplings), ("judges", self.judges)):
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"{name} lists {', '.join(twice)} more than once")
        if self.reference not in self.arms:
            raise ValueError(f"the reference {self.reference!r} is not among the study's arms: {', '.join(self.arms)}")
        return self

    @model_validator(mode="after")
    def _is_measured(self) -> "Study":
        if "distribution" not in self.judges:
            raise ValueError("judges lacks distribution, whose distance heads every table: add it")
        needed = NEEDS.get(self.figure, "distribution")
        if needed not in self.judges:
            raise ValueError(
                f"the figure {self.figure!r} shows what the judge {needed!r} measures, but judges lists"
                f" {', '.join(self.judges)}: add it, or draw another figure"
            )
        return self
