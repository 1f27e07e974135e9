"""Configuration of a claim: what has to be measured for it to hold, and how it is decided."""

import re
from typing import Literal, NamedTuple

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from asymflow.config.section import Section
from asymflow.config.study import ONE_LINE, Judge, Measure

TERM = re.compile(r"([+-]?)\s*([a-z0-9_]+)@([a-z0-9_]+)\s*")
Run = tuple[str, str]  # an arm and a sampling setting


class Comparison(NamedTuple):
    """A sum of measured numbers, and what the claim says of it: that it is negative, or about zero."""

    weights: dict[Run, int]  # +1 for what is added, -1 for what is subtracted
    relation: str  # "<" or "="


class Claim(Section):
    """A sentence of one of the documents, as a comparison of numbers that can be measured here."""

    says: str = Field(pattern=ONE_LINE)
    """The claim in one sentence."""

    source: str = Field(pattern=ONE_LINE)
    """Where it is made."""

    published: str | None = Field(None, pattern=ONE_LINE)
    """What was published for it."""

    metric: str
    """The number that is compared, by its name without the suffix of who measured it: fid, recon_lpips, ..."""

    judge: Measure | Literal["cost"] = "distribution"
    """Who measures it; cost: the sampling itself, in seconds_per_image."""

    holds_if: str
    """The comparison: sums of arm@setting, or 0, on both sides of < or =, as in `rank8@guided < rank0@guided`. After a comma
    another right side: all of them have to hold."""

    smallest: PositiveFloat
    """The smallest difference of interest, in the metric's unit. An effect below it does not count as one."""

    @model_validator(mode="after")
    def _is_a_comparison(self) -> "Claim":
        if not all(comparison.weights for comparison in self.comparisons):
            raise ValueError(
                f"holds_if is {self.holds_if!r}, which compares something with itself; name two arms or settings"
            )
        return self

    @property
    def comparisons(self) -> list[Comparison]:
        """The comparisons that all have to hold. Raises ValueError when `holds_if` is something else."""
        sides = re.split("[<=]", self.holds_if)
        if len(sides) != 2:
            raise ValueError(
                f"holds_if is {self.holds_if!r}; expected one < or = between sums of arm@setting, as in rank8@guided <"
                " rank0@guided"
            )
        left, relation = _sum(sides[0]), "<" if "<" in self.holds_if else "="
        return [Comparison(_less(left, _sum(right)), relation) for right in sides[1].split(",")]

    @property
    def runs(self) -> list[Run]:
        """The arms and settings that it needs, each once."""
        return list(dict.fromkeys(run for comparison in self.comparisons for run in comparison.weights))

    @property
    def judges(self) -> tuple[Measure, ...]:
        """Who has to judge: the distribution too, because every card hangs together with its own."""
        first: Judge = "distribution"
        return (first,) if self.judge == "cost" else tuple(dict.fromkeys((first, self.judge)))

    @property
    def files(self) -> tuple[str, ...]:
        """The files of a run that it is decided by (`paths.RUN_FILES`)."""
        return ("summary", "sampled") if self.judge == "cost" else ("summary", "sampled", self.judge)


class Decision(Section):
    """The rule that gives verdicts, stated before anything is measured.

    A claim is looked at after so many seeds, and once more after more of them, until it is decided. An interval of each look
    leaves out (1 - confidence) / looks / comparisons, so that all of them together are wrong as rarely as one would be.
    """

    confidence: float = Field(0.95, gt=0.5, lt=1)
    """That a verdict is not reached by chance, over all looks and comparisons of a claim."""

    looks: tuple[PositiveInt, ...] = Field((3, 5, 8), min_length=1)
    """Numbers of seeds after which it is looked; the last is the most that are run."""

    @model_validator(mode="after")
    def _rising(self) -> "Decision":
        if list(self.looks) != sorted(set(self.looks)) or self.looks[0] < 2:
            raise ValueError(f"looks is {list(self.looks)}; expected rising numbers of seeds, of 2 or more")
        return self


def _sum(text: str) -> dict[Run, int]:
    """arm@setting + arm@setting - ... as weights."""
    weights, end = {}, 0
    text = text.strip()
    if text == "0":
        return {}
    for match in TERM.finditer(text):
        if match.start() != end or (end and not match[1]) or (match[2], match[3]) in weights:
            break
        weights[match[2], match[3]], end = -1 if match[1] == "-" else 1, match.end()
    if not weights or end != len(text):
        raise ValueError(f"holds_if has {text!r}; expected a sum of arm@setting, as in rank8@guided - rank0@guided")
    return weights


def _less(left: dict[Run, int], right: dict[Run, int]) -> dict[Run, int]:
    weights = {run: left.get(run, 0) - right.get(run, 0) for run in {**left, **right}}
    return {run: weight for run, weight in weights.items() if weight}
