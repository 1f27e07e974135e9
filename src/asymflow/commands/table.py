"""Rows of text as a table on a terminal."""

from collections.abc import Sequence
from typing import Any


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows under the names of their columns, which are those of the first row; numbers to the right, text to the left."""
    columns = {name: [str(row[name]) for row in rows] for name in rows[0]}
    widths = {name: max(len(name), *map(len, cells)) for name, cells in columns.items()}
    right = {name: all(map(_is_number, cells)) for name, cells in columns.items()}
    lines = [list(columns), *zip(*columns.values(), strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(widths[name]) if right[name] else cell.ljust(widths[name])
            for name, cell in zip(columns, line, strict=True)
        ).rstrip()
        for line in lines
    )


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "").rstrip(" %") or "0")
    except ValueError:
        return text == "-"
    return True
