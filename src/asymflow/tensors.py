"""Named tensors with a description, in one safetensors file.

The description is one JSON text: safetensors keeps its metadata in a hash table, so several entries would be written in
another order each time, and the same result would not have the same bytes.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from asymflow.files import atomic


def save(path: Path | str, tensors: dict[str, Tensor], description: dict[str, Any]) -> None:
    """Writes the file whole or not at all; the same content gives the same bytes."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic(path) as temporary:
        save_file(plain, temporary, metadata={"description": json.dumps(description, sort_keys=True)})


def describe(path: Path | str) -> tuple[dict[str, Any], list[str]]:
    """The description of a file and the names of its tensors. Raises ValueError when it is not such a file."""
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads(file.metadata()["description"]), list(file.keys())
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise ValueError(f"{path} cannot be read as a file of tensors that this project wrote: {error}") from error


def load(path: Path | str, wanted: Callable[[str], bool] = lambda name: True) -> dict[str, Tensor]:
    """The tensors whose names are wanted."""
    _, names = describe(path)
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in names if wanted(name)}
