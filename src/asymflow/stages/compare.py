"""Makes the page that compares what any two arms of a study draw from the same noise; the first seed of each.

Of a study with a single arm, its sampling settings are compared instead.

python -m asymflow.stages.compare --study JSON --page OUT.html
"""

from pathlib import Path
from typing import Any

from asymflow import documents
from asymflow.command import run
from asymflow.data import drawn
from asymflow.report import comparison, pages
from asymflow.report.study import Study, study_arguments


def main() -> None:
    parser = study_arguments(__doc__)
    parser.add_argument("--page", type=Path, required=True)
    arguments = parser.parse_args()
    study = Study.parse(arguments.study, arguments.root)
    pages.write(pages.render("compare", title=study.title, seed=study.seeds[0], **_compared(study)), arguments.page)


def _compared(study: Study) -> dict[str, Any]:
    """What can be chosen: two sides, a setting and a step of it; and the sheet of each choice."""
    sheets = {
        (arm, sampling): _sheet(study, arm, sampling, len(study.arms) * len(study.samplings))
        for arm in study.arms
        for sampling in study.samplings
    }
    if len(study.arms) == 1:
        only, sides = study.reference, list(study.samplings)
        steps = [{sampling: sheets[only, sampling] for sampling in sides}]
        begin = [sides[0], sides[-1]]
        return {
            "what": "sampling setting",
            "sides": sides,
            "begin": begin,
            "settings": [{"name": only, "steps": steps}],
        }
    settings = [
        {
            "name": comparison.called(names),
            "steps": [{arm: sheets[arm, sampling] for arm in study.arms} for sampling in names],
        }
        for names in comparison.series(study.samplings)
    ]
    begin = [next(arm for arm in study.arms if arm != study.reference), study.reference]
    return {"what": "arm", "sides": list(study.arms), "begin": begin, "settings": settings}


def _sheet(study: Study, arm: str, sampling: str, sheets: int) -> dict[str, Any]:
    """The first samples of a run as a picture, with its measures and how many images the weights had seen."""
    samples = drawn.load(study.path("samples", arm, study.seeds[0], sampling))
    sampled = documents.read(study.path("sampled", arm, study.seeds[0], sampling), "sampling")
    _, height, width, _ = samples.shape
    shown = samples[: comparison.count(sheets, height, width)]
    picture = pages.embedded(comparison.sheet(shown), ".webp")
    measures = {"count": len(shown), "height": height, "width": width, "seen": sampled["images_seen"]}
    return {"picture": picture, **measures}


if __name__ == "__main__":
    run(main)
