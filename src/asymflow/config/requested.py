"""What the words of a command line use of the configuration, which alone has to be without contradictions."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from asymflow.config.experiment import Experiment

RULES = {name: f"{name}.csv" for name in ("claims", "cost", "released")} | {
    "supplement": "supplement.html"
}  # and their files


class Requested(NamedTuple):
    """What a call of the workflow can use."""

    arms: set[str]
    studies: set[str]
    claims: set[str]
    releases: set[str]
    runs: set[tuple[str, str, str]]  # arm, sampling setting, and the name of the file that is made of its samples


def requested(experiment: Experiment, words: Iterable[str]) -> Requested:
    """What the targets among the words of a command line use; without any, what `rule all` makes: every study, no claim.

    A target is taken to use each study whose name its own begins with, and the arm whose folder it lies in, with the arms that
    these begin with. The name of a rule stands for its file.
    """
    folder = f"{experiment.results}/"
    words = [f"{folder}{RULES[word]}" if word in RULES else word for word in words]
    targets = [target.removeprefix(folder) for word in words if (target := os.path.normpath(word)).startswith(folder)]
    if not targets:
        return Requested(set(experiment.arms), set(experiment.studies), set(), set(), set())
    studies = {name for name in experiment.studies for target in targets if Path(target).name.startswith(name)}
    if "cost.csv" in targets:
        studies = set(experiment.studies)
    if "supplement.html" in targets:
        studies |= set(experiment.supplemented) & set(experiment.studies)
        targets += ["claims.csv"] if experiment.supplement.claims else []
    files = [parts for target in targets if len(parts := Path(target).parts) > 2 and parts[0] == "runs"]
    arms = {parts[1] for parts in files}
    runs = {(parts[1], parts[3], Path(parts[4]).stem) for parts in files if len(parts) > 4}
    arms |= {arm for name in studies for arm in experiment.studies[name].arms}
    decided = [Path(target).parts for target in targets if Path(target).parts[0].startswith("claims")]
    claims = {name for name in experiment.claims for parts in decided if len(parts) == 1 or parts[1].startswith(name)}
    arms |= {arm for name in claims for arm, _ in experiment.claims[name].runs}
    releases = set(experiment.releases) if "released.csv" in targets else set()
    arms |= {experiment.releases[name].arm for name in releases}
    arms |= {experiment.arms[name].start.run for name in arms & set(experiment.arms)} - {None}
    return Requested(arms & set(experiment.arms), studies, claims, releases, runs)
