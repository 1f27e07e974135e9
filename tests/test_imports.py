"""Imports point one way, because an import is what makes a stage stale."""

import ast
from pathlib import Path

import pytest

from asymflow import provenance

ROOT = Path(provenance.__file__).parent
MODULES = [
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
    for path in sorted(ROOT.rglob("*.py"))
    if path.name != "__init__.py"
]
LAYERS = ("config", "flow", "subspace", "models", "data", "metrics", "training", "sampling", "report", "stages")
MAY_IMPORT = {  # beside itself, and the single modules at the top of the package
    "config": set(),
    "flow": set(),
    "subspace": set(),
    "models": {"config", "flow", "subspace"},
    "data": {"config"},
    "metrics": {"config"},
    "training": {"config", "flow", "subspace", "models", "data", "metrics"},
    "sampling": {"config", "flow", "subspace", "models", "training", "data"},
    "report": set(),
    "stages": set(LAYERS) - {"stages"},
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


@pytest.mark.parametrize("module", [m for m in MODULES if layer(m) in ("config", "report")] + ["asymflow.provenance"])
def test_configuration_tables_and_figures_load_no_torch(module):
    closure = [name for name in provenance.closure(module) if name in MODULES]
    for name in closure:
        path = ROOT.parent / Path(*name.split(".")).with_suffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert not [n for n in names if n.split(".")[0] in ("torch", "torchvision", "open_clip")], name


def test_package_files_are_empty():
    assert not [path for path in ROOT.rglob("__init__.py") if path.read_text()]
