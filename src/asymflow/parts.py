"""The modules that an arm, a solver, a request or a judge adds to what every run has: one for each part, found by its name.

What a run loads and what its code digest covers both come from here, so that neither can have what the other lacks: editing
NanoDiT makes no JiT stale, and editing one loss term only the arms that use it. A part that is new is a module of its name and
a line in its section of the configuration.
"""

import importlib
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import NamedTuple, get_args

from asymflow import provenance
from asymflow.config.arm import Arm
from asymflow.config.section import Section

KINDS = tuple(str(option.model_fields["kind"].default) for option in get_args(Arm.model_fields["network"].annotation))

TARGETS = tuple(str(option.model_fields["kind"].default) for option in get_args(Arm.model_fields["target"].annotation))

CAPTIONS = "asymflow.training.captions"  # what gives the tokens of captions
PREVIEW = "asymflow.training.preview"  # what a training shows as it goes


class Code(NamedTuple):
    """The modules that something runs, and those that they import and that decide nothing of it."""

    modules: Sequence[str]
    without: Sequence[str] = ()

    def closure(self) -> set[str]:
        """Every module of this package that runs."""
        return provenance.closure(*self.modules, without=self.without)

    def digest(self) -> str:
        """Twelve hexadecimal digits that change when what runs does."""
        return provenance.digest(*self.modules, without=self.without)

    def record(self) -> dict[str, str]:
        """What to write beside a result: digest, commit, Python and libraries."""
        return provenance.record(*self.modules, without=self.without)


def network(arm: Arm) -> str:
    """The module of an arm's network."""
    return f"asymflow.models.{arm.network.kind}"


def target(arm: Arm) -> str:
    """The module of what an arm's network predicts."""
    return f"asymflow.models.targets.{arm.target.kind}"


def terms(arm: Arm) -> dict[str, str]:
    """The module of each loss term of an arm beside the flow matching loss, in the order of the configuration."""
    return {name: f"asymflow.training.terms.{name}" for name, value in arm.losses if isinstance(value, Section)}


def optimiser(arm: Arm) -> str:
    """The module of an arm's optimiser."""
    return f"asymflow.training.optimisers.{arm.training.optimiser}"


def solver(name: str) -> str:
    """The module of a solver."""
    return f"asymflow.sampling.solvers.{name}"


def request(asked: str) -> str:
    """The module of what is asked for: classes, captions or cases."""
    return f"asymflow.sampling.asks.{asked}"


def judge(name: str) -> str:
    """The module of a judge."""
    return f"asymflow.judges.{name}"


def protocol(name: str) -> str:
    """The module of a published protocol."""
    return f"asymflow.protocols.{name}"


def layout(arm: Arm) -> str:
    """The module of the layout that an arm's released weights come in."""
    return f"asymflow.released.{arm.start.released.layout}"


def of_protocol(name: str) -> Code:
    """Everything that scoring by a published protocol runs."""
    return Code(["asymflow.stages.protocol", protocol(name)])


def of_protocol_reference(name: str) -> Code:
    """Everything that gathering what a published protocol compares with runs."""
    return Code(["asymflow.stages.protocol_reference", protocol(name)])


def of_training(arm: Arm) -> Code:
    """Everything that training an arm runs."""
    told = [CAPTIONS] if "caption" in arm.conditions.modalities else []
    modules = ["asymflow.stages.train", network(arm), target(arm), optimiser(arm), *terms(arm).values(), *told]
    return Code(modules, undeciding(arm))


def of_import(arm: Arm) -> Code:
    """Everything that importing released weights as an arm runs."""
    return Code(["asymflow.stages.import_weights", network(arm), target(arm), layout(arm)], undeciding(arm))


def of_sampling(arm: Arm, solver_name: str, asked: str) -> Code:
    """Everything that sampling an arm by a solver runs."""
    return Code(["asymflow.stages.sample", *_drawing(arm, solver_name, asked)], undeciding(arm))


def of_search(arm: Arm, solver_name: str, asked: str) -> Code:
    """Everything that searching an arm's guidance runs."""
    return Code(["asymflow.stages.search_guidance", *_drawing(arm, solver_name, asked)], undeciding(arm))


def of_score(name: str) -> Code:
    """Everything that a judge runs."""
    return Code(["asymflow.stages.score", judge(name)])


def of_velocity(arm: Arm) -> Code:
    """Everything that comparing an arm's velocity with the true one runs."""
    return Code(["asymflow.stages.velocity", network(arm), target(arm)], undeciding(arm))


def of_coupling(arm: Arm, asked: str) -> Code:
    """Everything that comparing a lifted arm with the latent model that it began with runs."""
    modules = ["asymflow.stages.coupling", network(arm), target(arm), request(asked), "asymflow.models.latents"]
    return Code(modules, undeciding(arm))


def of_export(arm: Arm) -> Code:
    """Everything that writing an arm's run in the format of diffusers runs."""
    return Code(["asymflow.stages.export", network(arm), target(arm), *_decoder(arm)], undeciding(arm))


def of_cost(arms: Iterable[Arm], solvers: Iterable[str]) -> Code:
    """Everything that reckoning what arms and solvers cost runs."""
    return Code(["asymflow.stages.cost", *map(network, arms), *map(solver, solvers)])


def undeciding(arm: Arm) -> list[str]:
    """Modules that are imported and decide nothing: the sections of other networks and targets than the arm's own (and those that
    its own are made from), checks, and what a training shows as it goes."""
    own = {section.__module__ for part in (arm.network, arm.target) for section in type(part).__mro__}
    networks = [f"asymflow.config.{kind}" for kind in KINDS]
    targets = [f"asymflow.config.targets.{kind}" for kind in TARGETS]
    return [PREVIEW, "asymflow.config.impossible", *(section for section in networks + targets if section not in own)]


def load(module: str) -> ModuleType:
    """A part by the name that one of these functions gives."""
    return importlib.import_module(module)


def _drawing(arm: Arm, solver_name: str, asked: str) -> list[str]:
    return [network(arm), target(arm), solver(solver_name), request(asked), *_decoder(arm)]


def _decoder(arm: Arm) -> list[str]:
    return ["asymflow.models.latents"] if arm.representation.space == "latent" else []
