"""The version of this package."""

import importlib.metadata
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[2] / "pyproject.toml"  # in a source tree


def version() -> str:
    """The version that the package was installed as; in a source tree that nobody installed, the one that it would have."""
    try:
        return importlib.metadata.version("asymflow")
    except importlib.metadata.PackageNotFoundError:
        return tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["version"]
