"""What tables and figures know of their study: what is compared, and where the files lie that their rule declares."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Study:
    """A study as the workflow hands it to a stage."""

    name: str
    title: str
    reference: str  # the arm that the others are compared with
    figure: str
    judges: list[str]
    seeds: list[int]
    arms: dict[str, dict[str, Any]]  # every field of each arm, dotted, in the order of the table
    samplings: dict[str, dict[str, Any]]  # every field of each sampling setting
    files: dict[str, str]  # where a file of a run lies, by its name; only those that the rule declares
    bases: dict[str, str]  # the subspace of each arm, where the figure shows them

    @classmethod
    def parse(cls, text: str) -> "Study":
        """The study in a JSON text."""
        return cls(**json.loads(text))

    def path(self, file: str, arm: str, seed: int, sampling: str = "") -> Path:
        """A file of a run. Raises KeyError for one that the rule does not declare."""
        pattern = self.files[file]
        for name, value in (("arm", arm), ("seed", str(seed)), ("sampling", sampling)):
            pattern = pattern.replace(f"{{{name}}}", value)
        return Path(pattern)

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
