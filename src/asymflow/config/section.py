"""The base of every configuration section: frozen, strict about names and types, silent about nothing.

A section is the only place where its defaults live. Sections import no torch, and a stage imports only the sections that
it reads, because an import is what makes a stage stale (see `asymflow.provenance`).
"""

from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

LARGEST = 10**12  # of any number: beyond it are slips of the finger


class Section(BaseModel):
    """One part of the configuration. Unknown keys are errors; values cannot change after validation.

    Types are pydantic's lax ones in a single respect that YAML forces upon us: `1e-4` is a string in YAML 1.1 and has to
    become the number that its author meant. Numbers are finite.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _means_what_it_says(cls, values: Any) -> Any:
        """YAML's on, off, yes and no are truth values: a setting that has such a value takes them, a number does not."""
        if not isinstance(values, dict):
            return values
        meant = dict(values)
        for name in values.keys() & cls.model_fields.keys():
            value, annotation = values[name], cls.model_fields[name].annotation
            if (
                isinstance(value, bool)
                and get_origin(annotation) is Literal
                and {"on", "off"} <= set(get_args(annotation))
            ):
                meant[name] = "on" if value else "off"
                continue
            for entry in value if isinstance(value, list | tuple) else [value]:
                if isinstance(entry, bool) and "bool" not in str(annotation):
                    raise wrong(
                        name, value, "something else than a truth value, which YAML reads on, off, yes and no as"
                    )
                if isinstance(entry, int | float) and abs(entry) > LARGEST:
                    raise wrong(name, value, f"a number of at most {LARGEST:.0e}")
        return meant


def wrong(key: str, found: Any, expected: str) -> PydanticCustomError:
    """A mistake that a section finds in one of its keys."""
    return PydanticCustomError("wrong_key", "{expected}", {"key": key, "found": found, "expected": expected})
