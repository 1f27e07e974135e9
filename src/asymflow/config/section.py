"""The base of every configuration section: frozen, strict about names and types, silent about nothing.

A section is the only place where its defaults live. Sections import no torch, and a stage imports only the sections that
it reads, because an import is what makes a stage stale (see `asymflow.provenance`).
"""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One part of the configuration. Unknown keys are errors; values cannot change after validation.

    Types are pydantic's lax ones in a single respect that YAML forces upon us: `1e-4` is a string in YAML 1.1 and has to
    become the number that its author meant.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
