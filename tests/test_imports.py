"""Imports point one way, because an import is what makes a stage stale."""

import ast
from pathlib import Path
from typing import get_args

import pytest

from asymflow import parts, provenance
from asymflow.config.losses import Losses
from asymflow.config.protocols import Protocol
from asymflow.config.sampling import Sampling
from asymflow.config.start import Released
from asymflow.config.study import Judge
from asymflow.config.training import Training

ROOT = Path(provenance.__file__).parent
MODULES = [
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
    for path in sorted(ROOT.rglob("*.py"))
    if path.name != "__init__.py"
]
LAYERS = (
    "config",
    "flow",
    "subspace",
    "models",
    "data",
    "metrics",
    "training",
    "sampling",
    "released",
    "protocols",
    "judges",
    "report",
    "library",
    "commands",
    "stages",
)
MAY_IMPORT = {  # beside itself, and the single modules at the top of the package
    "config": set(),
    "flow": set(),
    "subspace": {"config"},
    "models": {"config", "flow", "subspace"},
    "data": {"config", "subspace"},
    "metrics": {"config"},
    "training": {"config", "flow", "subspace", "models", "data", "metrics"},
    "sampling": {"config", "flow", "subspace", "models", "training", "data"},
    "released": {"config", "models"},
    "protocols": {"config", "metrics"},
    "judges": {"config", "data", "metrics"},
    "report": set(),
    "library": {"config", "flow", "subspace"},
    "commands": {"config"},
    "stages": set(LAYERS) - {"library", "commands", "stages"},
}


def layer(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 2 else ""


@pytest.mark.parametrize("module", [module for module in MODULES if layer(module)])
def test_a_module_imports_only_what_its_layer_may(module):
    imported = {layer(name) for name in provenance.imports(module)} - {"", layer(module)}
    assert imported <= MAY_IMPORT[layer(module)]


def test_nobody_imports_a_stage():
    assert not [(m, name) for m in MODULES for name in provenance.imports(m) if layer(name) == "stages"]


@pytest.mark.parametrize(
    "module",
    [m for m in MODULES if layer(m) in ("config", "report")]
    + ["asymflow.plan", "asymflow.studies", "asymflow.descriptions"],
)
def test_configuration_tables_and_figures_load_no_torch(module):
    closure = [name for name in provenance.closure(module) if name in MODULES]
    for name in closure:
        path = ROOT.parent / Path(*name.split(".")).with_suffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert not [n for n in names if n.split(".")[0] in ("torch", "torchvision", "open_clip")], name


def test_package_files_are_empty():
    """But for that of the whole package, which gives the library its names and is in no digest."""
    assert [path for path in ROOT.rglob("__init__.py") if path.read_text()] == [ROOT / "__init__.py"]


def test_nothing_within_takes_a_public_name_from_the_package():
    """A digest would not see what it stands for."""
    for module in MODULES:
        path = ROOT.parent / Path(*module.split(".")).with_suffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "asymflow":
                assert not [a.name for a in node.names if f"asymflow.{a.name}" not in provenance.imports(module)], (
                    module
                )


def test_nothing_that_a_stage_runs_imports_the_library_or_a_command():
    for module in MODULES:
        if layer(module) not in ("", "library", "commands"):
            assert not {layer(name) for name in provenance.closure(module)} & {"library", "commands"}
            assert not {"asymflow.public", "asymflow.version"} & provenance.closure(module)


def test_a_package_of_parts_has_a_module_for_every_value_of_the_configuration():
    """Parts are loaded by name, so a value without its module would be found out when the run starts."""
    fields = (Training.model_fields["optimiser"], Sampling.model_fields["solver"])
    optimisers, solvers = (get_args(field.annotation) for field in fields)
    terms = [name for name in Losses.model_fields if not name.startswith("sigma_")]
    named = [f"asymflow.models.{kind}" for kind in parts.KINDS]
    named += [f"asymflow.training.terms.{name}" for name in terms]
    named += [f"asymflow.training.optimisers.{name}" for name in optimisers]
    named += [parts.solver(name) for name in solvers] + [parts.judge(name) for name in get_args(Judge)]
    named += [parts.request(name) for name in ("classes", "captions", "cases")]
    named += [f"asymflow.models.targets.{kind}" for kind in parts.TARGETS]
    named += [parts.protocol(name) for name in get_args(Protocol)]
    named += [f"asymflow.released.{name}" for name in get_args(Released.model_fields["layout"].annotation)]
    assert set(named) <= set(MODULES)
