"""What the figure of a study shows of its arms and sampling settings, beside what judges measure (`study.NEEDS`)."""

from collections.abc import Iterator, Mapping

from asymflow.config.arm import Arm
from asymflow.config.sampling import Sampling
from asymflow.config.study import Study


def _ranked(arm: Arm) -> bool:
    return arm.target.kind == "asymmetric"


def _fitted(arm: Arm) -> bool:
    return _ranked(arm) and arm.target.basis != "lift"


def _spanned(arm: Arm) -> bool:
    return _fitted(arm) and arm.representation.space == "pixel" and arm.target.rank != "full"


def _wide(arm: Arm) -> bool:
    return _ranked(arm) and arm.network.model_dump().get("width") is not None


SHOWS = {  # what figures show of each arm: whether it has that, and what it is called
    "rank": (_fitted, "the rank and the fitted directions of the paper's target"),
    "length": (_ranked, "the rank of the paper's target"),
    "data": (_ranked, "the rank of the paper's target"),
    "width": (_wide, "network.width and the rank of the paper's target"),
    "bases": (_spanned, "as many directions of pixel patches as a rank in numbers says"),
}


def undrawable(study: Study, arms: Mapping[str, Arm], samplings: Mapping[str, Sampling]) -> Iterator[str]:
    """Why a study cannot be drawn as its figure says, of its arms and settings by name."""
    figure = study.figure
    has, what = SHOWS.get(figure, (lambda arm: True, ""))
    for name, arm in arms.items():
        if not has(arm):
            yield (
                f"draws the figure {figure!r}, which shows {what}, but the arm {name!r} has none: leave it out, or draw another"
                " figure"
            )
    if figure == "systems" and study.systems is None:
        yield "draws the figure 'systems', but names no table of systems: give it systems, or draw another figure"
    first = next(iter(samplings.items()), None)
    if figure == "guidance" and first and first[1].guidance.kind != "searched":
        yield (
            f"draws the figure 'guidance', which shows the search of the first setting, but {first[0]!r} searches nothing: put"
            " another setting first, or draw another figure"
        )
    if figure == "convergence":
        for name, arm in arms.items():
            yield from _at_once(name, arm, samplings)


def _at_once(name: str, arm: Arm, samplings: Mapping[str, Sampling]) -> Iterator[str]:
    """Settings that see an arm after as many images as another one does."""
    seen: dict[int, str] = {}
    for setting, sampling in samplings.items():
        snapshot = sampling.snapshot or arm.training.snapshots  # the last is the finished model
        if snapshot in seen:
            yield (
                f"draws the figure 'convergence', a point for each snapshot, but the settings {seen[snapshot]!r} and"
                f" {setting!r} show the arm {name!r} at the same one: leave one of them out, or draw another figure"
            )
        seen[snapshot] = setting
