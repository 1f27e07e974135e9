"""What stages are told, as JSON: their study, the claim that is decided, the releases, and what costs are reckoned from.

Beside the files that a rule takes (`asymflow.plan`, `asymflow.studies`). A stage that gathers results is told the values here
instead of importing the configuration, so that a new option makes no table stale.
"""

import json
from typing import Any

from asymflow.config.arm import Arm
from asymflow.config.study import Study
from asymflow.plan import Plan
from asymflow.report.study import configuration_checksum
from asymflow.sizes import described
from asymflow.studies import Studies


class Descriptions:
    """Those of one plan and its studies."""

    def __init__(self, plan: Plan, studies: Studies):
        self.plan, self.studies, self.experiment, self.paths = plan, studies, plan.experiment, plan.paths

    def study(self, wildcards: Any, *files: str) -> str:
        """What a rule has to know of its study: the study, arms and settings field by field, and where files lie."""
        name = wildcards.study
        return json.dumps(self._study(name, self.experiment.studies[name], self.experiment.study_seeds(name), files))

    def drawn(self, wildcards: Any, *files: str) -> str:
        """That, and how the study is drawn under which title."""
        return json.dumps(self._drawn(wildcards.study, files))

    def claim(self, wildcards: Any) -> str:
        """A claim."""
        return self.experiment.claims[wildcards.claim].model_dump_json()

    def look(self, wildcards: Any) -> str:
        """The study of a claim's arms and settings, for the seeds of a look."""
        claim, seeds = self.experiment.claims[wildcards.claim], self.experiment.look_seeds(int(wildcards.look))
        arms, settings = (tuple(dict.fromkeys(names)) for names in zip(*claim.runs, strict=True))
        study = Study(title=claim.says, arms=arms, reference=arms[-1], samplings=settings, judges=claim.judges)
        return json.dumps(self._study(wildcards.claim, study, seeds, claim.files))

    @property
    def supplement(self) -> str:
        """The studies of the supplement: each as its rules know it, what it repeats, what was expected, where its results lie."""
        experiment = self.experiment
        studies = [
            {
                "study": json.dumps(self._drawn(name, ())),
                "source": experiment.studies[name].source,
                "expected": experiment.studies[name].expected,
                **self.studies.shown(name),
            }
            for name in experiment.supplemented
        ]
        claims = self.paths.claims if experiment.supplement.claims else None
        return json.dumps({"scale": self.paths.results, "claims": claims, "studies": studies})

    @property
    def releases(self) -> str:
        """Every release: what it is, what was published, where its files lie or where they are to be had."""
        return json.dumps({name: self._release(name) for name in self.experiment.releases})

    @property
    def cost(self) -> str:
        """What the estimate of costs is reckoned from: the runs of every study, arms, settings, sizes of conditions."""
        experiment, data = self.experiment, self.experiment.data
        runs = {
            name: [
                (arm, seed, setting)
                for arm in study.arms
                for seed in experiment.study_seeds(name)
                for setting in study.samplings
            ]
            for name, study in experiment.studies.items()
        }
        arms = {arm: experiment.arms[arm] for arm in sorted({arm for listed in runs.values() for arm, _, _ in listed})}
        settings = {setting for listed in runs.values() for _, _, setting in listed}
        local = experiment.evaluators == "local"
        return json.dumps(
            {
                "studies": runs,
                "image_size": data.image_size,
                "images": sum(count or 0 for count in (data.train, data.evaluator, data.heldout)),
                "search": experiment.search.model_dump(mode="json"),
                "evaluator": experiment.evaluator.model_dump(mode="json") if local else None,
                "arms": {name: described(arm, self.plan.reader_of(arm), experiment) for name, arm in arms.items()},
                "samplings": {name: experiment.samplings[name].model_dump(mode="json") for name in sorted(settings)},
            }
        )

    def _drawn(self, name: str, files: tuple[str, ...]) -> dict[str, Any]:
        study = self.experiment.studies[name]
        return {
            **self._study(name, study, self.experiment.study_seeds(name), files),
            "title": study.title,
            "figure": study.figure,
            "bases": self.studies.bases(study) if study.figure == "bases" else {},
        }

    def _study(self, name: str, study: Study, seeds: range, files: tuple[str, ...]) -> dict[str, Any]:
        arms = {name: self.experiment.arms[name] for name in study.arms}
        settings = {name: self.experiment.samplings[name] for name in study.samplings}
        return {
            "name": name,
            "seeds": list(seeds),
            "arms": {name: _fields(arm) for name, arm in arms.items()},
            "samplings": {
                name: flat(setting.model_dump(mode="json", exclude_none=True)) for name, setting in settings.items()
            },
            "files": {file: self.paths.run(file) for file in files},
            "configurations": {
                name: configuration_checksum(arm.model_dump_json(exclude_none=True)) for name, arm in arms.items()
            },
            "reference": study.reference,
            "judges": study.judges,
        }

    def _release(self, name: str) -> dict[str, Any]:
        release = self.experiment.releases[name]
        arm, setting = self.experiment.arms[release.arm], self.experiment.samplings[release.sampling]
        weights, there = arm.start.released, self.studies.there(release)
        return {
            "layout": weights.layout,
            "rank": arm.target.rank,
            "file": weights.file,
            "get": weights.source,
            "card": there and self.paths.run(release.protocol, release.arm, 0, release.sampling),
            "sampled": there and self.paths.run("sampled", release.arm, 0, release.sampling),
            "solver": setting.solver,
            "steps": setting.steps,
            **release.model_dump(include={"protocol", "published", "source"}),
        }


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested configuration as one level of dotted keys."""
    fields: dict[str, Any] = {}
    for key, value in values.items():
        fields |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return fields


def _fields(arm: Arm) -> dict[str, Any]:
    """Every field of an arm that is given, dotted; what is shown in words: `0.1 nothing, 0.9 class`."""
    ways = (f"{way.share:g} {' + '.join(way.what) or 'nothing'}" for way in arm.conditions.shown)
    return flat(arm.model_dump(mode="json", exclude_none=True)) | {"conditions.shown": ", ".join(ways)}
