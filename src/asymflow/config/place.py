"""A path that rules name as a file or a folder."""

from typing import Annotated

from pydantic import AfterValidator


def _without_braces(path: str) -> str:
    if {"{", "}"} & set(path):
        raise ValueError("a path without { and }, which Snakemake would take for a wildcard: rename it")
    return path


Place = Annotated[str, AfterValidator(_without_braces)]
