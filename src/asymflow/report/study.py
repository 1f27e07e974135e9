"""What tables and figures know of their study: what is compared, and where the files lie that their rule declares."""

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xxhash

from asymflow import documents
from asymflow.command import long_arguments


@dataclass(frozen=True)
class Study:
    """A study as the workflow hands it to a stage."""

    name: str
    reference: str  # the arm that the others are compared with
    judges: list[str]
    seeds: list[int]
    arms: dict[str, dict[str, Any]]  # every field of each arm that is given, dotted, in the order of the table
    samplings: dict[str, dict[str, Any]]  # every field of each sampling setting that is given
    files: dict[str, str]  # where a file of a run lies, by its name; only those that the rule declares
    configurations: dict[str, str]  # checksums of the arms' configurations as trainings say them
    title: str = ""  # this and what follows: for rules that draw the study
    figure: str = ""
    bases: dict[str, str] = field(default_factory=dict)  # the subspace of each arm, where the figure shows them
    root: Path = Path()  # what all these are named from

    @classmethod
    def parse(cls, text: str, root: Path = Path()) -> "Study":
        """The study in a JSON text, whose files are named from `root`."""
        return cls(**json.loads(text), root=root)

    def path(self, file: str, arm: str, seed: int, sampling: str = "") -> Path:
        """A file of a run. Raises KeyError for one that the rule does not declare."""
        pattern = self.files[file]
        for name, value in (("arm", arm), ("seed", str(seed)), ("sampling", sampling)):
            pattern = pattern.replace(f"{{{name}}}", value)
        return self.root / pattern

    def reference_of(self, arm: str) -> str:
        """What an arm is compared with: the reference's target in the arm's own network, where the study has that, else the
        reference."""

        def part(name: str, *, network: bool) -> dict[str, Any]:
            return {k: v for k, v in self.arms[name].items() if k.startswith("network.") == network}

        own, target = part(arm, network=True), part(self.reference, network=False)
        like = (name for name in self.arms if part(name, network=True) == own and part(name, network=False) == target)
        return next(like, self.reference)

    def rank(self, arm: str) -> float:
        """The rank of an arm's target (`number`)."""
        return number(self.arms[arm]["target.rank"])

    def basis(self, arm: str) -> Path:
        """The subspace of an arm."""
        return self.root / self.bases[arm]

    def trained(self, arm: str, seed: int) -> dict[str, Any]:
        """What training says of a run. Raises ValueError when it is of another arm or seed."""
        path = self.path("summary", arm, seed)
        summary = documents.read(path, "training")
        identity = summary["identity"]
        if (configuration_checksum(identity["configuration"]), identity["seed"]) != (
            self.configurations[arm],
            str(seed),
        ):
            raise ValueError(
                f"{path} is of another arm or seed than {arm}, seed {seed}; delete it and give the same command again"
            )
        return summary

    def sampled(self, arm: str, seed: int, sampling: str, trained: dict[str, Any]) -> dict[str, Any]:
        """What sampling says of a run. Raises ValueError when another model was sampled."""
        path = self.path("sampled", arm, seed, sampling)
        summary = documents.read(path, "sampling")
        if summary["model"] not in _models(trained):
            raise of_another(path, "weights", self.path("summary", arm, seed))
        return summary

    def score(self, judge: str, arm: str, seed: int, sampling: str, sampled: dict[str, Any]) -> dict[str, Any]:
        """What a judge says of a run. Raises ValueError when it has judged other samples."""
        path = self.path(judge, arm, seed, sampling)
        card = documents.read(path, "score")
        if card["file"] != sampled["file"]:
            raise of_another(path, "samples", self.path("sampled", arm, seed, sampling))
        return card

    def search(self, arm: str, seed: int, sampling: str, trained: dict[str, Any]) -> dict[str, Any]:
        """What a search of guidance says of a run. Raises ValueError when it has searched for another model."""
        path = self.path("guidance", arm, seed, sampling)
        result = documents.read(path, "guidance")
        if result["model"] not in _models(trained):
            raise of_another(path, "weights", self.path("summary", arm, seed))
        return result

    def first_seed(self, file: str, sampling: str = "") -> dict[str, Path]:
        """A file of every arm's first run."""
        return {arm: self.path(file, arm, self.seeds[0], sampling) for arm in self.arms}

    @property
    def last_sampling(self) -> str:
        """The setting whose samples pictures show."""
        return list(self.samplings)[-1]

    @property
    def first_sampling(self) -> str:
        """The setting that others are compared with."""
        return next(iter(self.samplings))

    def searched(self, sampling: str) -> bool:
        """Whether a setting's guidance comes from a search."""
        return self.samplings[sampling]["guidance.kind"] == "searched"


def study_arguments(description: str) -> argparse.ArgumentParser:
    """A parser for a stage that is told of a study (`Study.parse`): which one, and what its files are named from."""
    parser = long_arguments(description)
    parser.add_argument("--study", required=True, help="the study as JSON, or @FILE")
    parser.add_argument("--root", type=Path, default=Path(), help="what its files are named from")
    return parser


def number(rank: int | str) -> float:
    """A rank as it is written, as a number: infinity where the noise is full, which has more directions than any rank."""
    return float("inf") if rank == "full" else float(rank)


def _models(trained: dict[str, Any]) -> list[str]:
    return [trained["model"], *trained["snapshots"].values()]


def configuration_checksum(configuration: str) -> str:
    """Stands for an arm's configuration, which is long."""
    return xxhash.xxh3_64_hexdigest(configuration.encode())


def of_another(path: Path, what: str, other: Path) -> ValueError:
    """That a file speaks of other samples, or other weights, than the one beside it."""
    return ValueError(
        f"{path} is of other {what} than {other} speaks of; delete {path} and give the same command again"
    )
