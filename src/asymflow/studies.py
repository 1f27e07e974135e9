"""What the rules of studies, claims and releases gather from runs, and what is shown of each.

These rules read files of runs by name (`asymflow.descriptions` says which); what is given here is what their stages can read. As
in `asymflow.plan`, a function that gives a rule's inputs takes Snakemake's wildcards: anything with the attributes study, claim
or look.
"""

import os
from typing import Any

from asymflow.config.experiment import Experiment
from asymflow.config.release import Release
from asymflow.config.study import Study
from asymflow.paths import Paths


class Studies:
    """Those of one experiment, its claims and its releases."""

    def __init__(self, experiment: Experiment, root: str = "."):
        """`root` is the folder of the Snakefile, as seen from where it runs."""
        self.experiment, self.paths, self._root = experiment, Paths(experiment.results), root

    def runs(self, study: str, *files: str, samplings: tuple[str, ...] | None = None) -> list[str]:
        """These files of every run of a study, under all of its sampling settings or some."""
        chosen = self.experiment.studies[study]
        settings = chosen.samplings if samplings is None else samplings
        every = [
            self.paths.run(file, arm, seed, sampling)
            for file in files
            for arm in chosen.arms
            for seed in self.experiment.study_seeds(study)
            for sampling in settings
            if file != "guidance" or self.experiment.samplings[sampling].guidance.kind == "searched"
        ]
        return list(dict.fromkeys(every))

    def table(self, wildcards: Any) -> list[str]:
        """What a study's table is gathered from."""
        return self.runs(wildcards.study, *self.table_files(wildcards.study))

    def table_files(self, study: str) -> tuple[str, ...]:
        """The files of a run that a study's table has columns of."""
        return ("summary", "sampled", "guidance", *self.experiment.studies[study].judges)

    def published(self, wildcards: Any) -> list[str]:
        """Published numbers that join a study's rows."""
        name = self._study(wildcards).published
        return [self._published(name)] if name else []

    def systems(self, wildcards: Any) -> list[str]:
        """Published systems, whose rows join a study's own."""
        study = self._study(wildcards)
        return [self._published(study.systems)] if study.systems else []

    def floors(self, wildcards: Any) -> list[str]:
        """What is not a model's drawing in the validation suite, whose rows join those of a study that is judged by it."""
        study = self._study(wildcards)
        patch = self.experiment.arms[study.arms[0]].representation.patch_size
        return [self.paths.floors(patch)] if "suite" in study.judges else []

    def _published(self, name: str) -> str:
        return os.path.normpath(f"{self._root}/workflow/published/{name}.csv")

    def beside(self, wildcards: Any) -> list[str]:
        """What a figure shows beside its table: the searches behind a guidance surface, the subspaces of arms."""
        study = self._study(wildcards)
        if study.figure == "guidance":
            return self.runs(wildcards.study, "guidance")
        return list(self.bases(study).values()) if study.figure == "bases" else []

    def bases(self, study: Study) -> dict[str, str]:
        """The file of the subspace of each arm of a study."""
        arms = ((name, self.experiment.arms[name]) for name in study.arms)
        return {
            name: self.paths.subspace(arm.target.basis, arm.representation.colour, arm.representation.patch_size)
            for name, arm in arms
        }

    def case_by_case(self, study: str) -> tuple[str, ...]:
        """The judges of a study that keep what they found in each case."""
        return tuple(judge for judge in ("suite", "memorisation") if judge in self.experiment.studies[study].judges)

    def samples(self, wildcards: Any) -> list[str]:
        """What the arms of a study drew under all of its sampling settings."""
        return self.runs(wildcards.study, "samples", "sampled")

    def pictured(self, wildcards: Any) -> list[str]:
        """What they drew under the last setting, which its pictures show."""
        return self.runs(wildcards.study, "samples", "sampled", samplings=self._study(wildcards).samplings[-1:])

    def nearest_images(self, wildcards: Any) -> list[str]:
        """What they drew under the first setting, and what it is most like."""
        files = ("samples", "sampled", "memorisation")
        return self.runs(wildcards.study, *files, samplings=self._study(wildcards).samplings[:1])

    def there(self, release: Release) -> bool:
        """Whether the file of a release is there."""
        return os.path.isfile(self.experiment.arms[release.arm].start.released.file)

    def released_cards(self, wildcards: Any = None) -> list[str]:
        """What the table of releases is gathered from, of those whose file is there."""
        return [
            self.paths.run(file, release.arm, 0, release.sampling)
            for release in self.experiment.releases.values()
            if self.there(release)
            for file in ("sampled", release.protocol)
        ]

    def look(self, wildcards: Any) -> list[str]:
        """What is looked at to decide a claim: the cards of its runs for the seeds of this look."""
        claim = self.experiment.claims[wildcards.claim]
        return [
            self.paths.run(file, arm, seed, setting)
            for arm, setting in claim.runs
            for seed in self.experiment.look_seeds(int(wildcards.look))
            for file in claim.files
        ]

    def shown(self, study: str) -> dict[str, dict[str, str]]:
        """What `rule all` makes of a study: its tables and pictures by what each shows, and the page that compares samples."""
        judges, results = self.experiment.studies[study].judges, self.paths.results
        converges = self.experiment.studies[study].figure == "convergence"
        arms = [self.experiment.arms[arm] for arm in self.experiment.studies[study].arms]
        curved = not any(arm.start.released for arm in arms)  # nobody saw those learn
        tables = {
            "table": (True, ".csv"),
            "summary": (True, "_summary.csv"),
            "velocity": ("velocity" in judges, "_velocity.csv"),
            "speedup": (converges, "_speedup.csv"),
            "pairs": ("captions" in judges, "_pairs.csv"),
            "paired": ("suite" in judges, "_paired.csv"),
        }
        pictures = {
            "figure": (True, ".svg"),
            "samples": (True, "_samples.png"),
            "velocity": ("velocity" in judges, "_velocity.svg"),
            "crops": ("captions" in judges, "_crops.png"),
            "curves": ("suite" in judges and curved, "_curves.png"),
            "progression": ("suite" in judges, "_progression.png"),
            "nearest_images": ("memorisation" in judges, "_nearest_images.png"),
        }
        return {
            "tables": {name: f"{results}/{study}{end}" for name, (made, end) in tables.items() if made},
            "pictures": {name: f"{results}/figures/{study}{end}" for name, (made, end) in pictures.items() if made},
            "pages": {"compare": f"{results}/figures/{study}_compare.html"},
        }

    def shown_files(self, study: str) -> list[str]:
        """All of that."""
        return [path for files in self.shown(study).values() for path in files.values()]

    def supplement_files(self, wildcards: Any = None) -> list[str]:
        """What the supplement shows."""
        claims = [self.paths.claims] if self.experiment.supplement.claims else []
        return claims + [path for study in self.experiment.supplemented for path in self.shown_files(study)]

    def _study(self, wildcards: Any) -> Study:
        return self.experiment.studies[wildcards.study]
