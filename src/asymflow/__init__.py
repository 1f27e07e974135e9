"""Asymmetric flow models. `import asymflow as af` has the names of `asymflow.public`, loaded when the first of them is used."""

from importlib import import_module, util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asymflow.public import *  # noqa: F403


def __getattr__(name: str) -> Any:
    """A public name. Modules of the package are left to Python's imports, so that none of them loads torch by its name."""
    if name == "__version__":
        return import_module("asymflow.version").version()
    if name.startswith("_") or util.find_spec(f"{__name__}.{name}"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; is it a module? Then import it first")
    return getattr(import_module("asymflow.public"), name)


def __dir__() -> list[str]:
    return ["__version__", *import_module("asymflow.public").__all__]
