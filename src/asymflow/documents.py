"""JSON documents that say what they are: kind, format, and a checksum of all that they hold."""

import json
from pathlib import Path
from typing import Any

import xxhash

from asymflow.files import writing

FORMAT = 1


def write(path: Path | str, kind: str, content: dict[str, Any]) -> str:
    """Writes the document whole or not at all; gives its checksum. Raises ValueError when a number in it is not finite."""
    try:
        document = {"kind": kind, "format": FORMAT, **content}
        document["checksum"] = _checksum(document)
    except ValueError as error:
        raise ValueError(f"{path} would hold {_not_finite(content)}, which is not a finite number") from error
    with writing(path) as file:
        file.write(json.dumps(document, indent=1, allow_nan=False).encode() + b"\n")
    return document["checksum"]


def read(path: Path | str, kind: str) -> dict[str, Any]:
    """What a document holds, with its checksum under `checksum`.

    Raises ValueError when it is damaged, incomplete, of another kind or another format, and OSError when it cannot be opened.
    """
    try:
        document = json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is cut or damaged ({error}); delete it and give the same command again") from error
    if not isinstance(document, dict) or document.get("kind") != kind:
        actual = document.get("kind") if isinstance(document, dict) else type(document).__name__
        raise ValueError(f"{path} holds {actual!r}; expected {kind!r}: delete it and give the same command again")
    if document.get("format") != FORMAT:
        raise ValueError(
            f"{path} has the format {document.get('format')!r}, which this version cannot read; it reads {FORMAT}: delete it and"
            " give the same command again"
        )
    if document.get("checksum") != _checksum(document):
        raise ValueError(
            f"{path} is damaged or was edited: its content does not fit its checksum; delete it and give the same command again"
        )
    return document


def kind(path: Path | str) -> str | None:
    """What kind of document it says that it is; None where that cannot be told."""
    try:
        document = json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError):
        return None
    return document.get("kind") if isinstance(document, dict) else None


def _checksum(document: dict[str, Any]) -> str:
    rest = {key: value for key, value in document.items() if key != "checksum"}
    return xxhash.xxh3_128_hexdigest(json.dumps(rest, sort_keys=True, allow_nan=False).encode())


def _not_finite(value: Any, path: str = "") -> str:
    """The first number that JSON has no place for, and where it is."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, entry in entries:
        place = f"{path}.{key}".lstrip(".")
        if isinstance(entry, float) and not float("-inf") < entry < float("inf"):
            return f"{place} = {entry}"
        if inner := _not_finite(entry, place):
            return inner
    return ""
