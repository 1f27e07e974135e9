"""The file of a trained arm of prx-tg: averaged and last weights, the subspace, and what they are."""

from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from asymflow import tensors as tensor_file
from asymflow.models.velocity import VelocityModel

PREFIX = {"average": "ema.", "last": "last."}  # of the names of each set of weights


def save(path: Path, model: VelocityModel, average: dict[str, Tensor], description: dict[str, Any]) -> None:
    """Writes the model with both sets of weights; `average` has the averaged ones by name."""
    both = {"average": average, "last": dict(model.network.named_parameters())}
    named = {f"{PREFIX[kind]}{name}": value for kind, weights in both.items() for name, value in weights.items()}
    tensor_file.save(path, named | {"A": model.A}, description | {"kind": "prx model"})


def load(path: Path, weights: Literal["average", "last"]) -> tuple[dict[str, Tensor], Tensor, dict[str, Any]]:
    """One set of weights, the subspace A, and the description. Raises ValueError for a file of anything else."""
    told, _ = tensor_file.describe(path)
    if told.get("kind") != "prx model":
        raise ValueError(f"{path} is no model of an arm of prx-tg; stage train_prx writes one")
    prefix = PREFIX[weights]
    found = tensor_file.load(path, lambda name: name.startswith(prefix) or name == "A")
    A = found.pop("A")
    return {name.removeprefix(prefix): value for name, value in found.items()}, A, told
