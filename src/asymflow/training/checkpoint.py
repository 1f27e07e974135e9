"""Checkpoints: everything an interrupted training needs to end with the same bytes, in one safetensors file."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from asymflow import tensors as tensor_file
from asymflow.training.ema import Average


def save(
    path: Path,
    objective: nn.Module,
    average: Average,
    optimiser: torch.optim.Optimizer,
    images: int,
    identity: dict[str, str],
) -> None:
    """Writes the state after `images` images. `identity` says what is being trained: configuration, code, data.

    The random state needs no place: every step seeds its generators from (seed, images seen).
    """
    tensors = {f"objective.{name}": value for name, value in objective.state_dict().items()} | average.tensors()
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": value for name, value in state.items()}
    tensor_file.save(path, tensors, {"images": images, "identity": identity})


def restore(
    path: Path, objective: nn.Module, average: Average, optimiser: torch.optim.Optimizer, identity: dict[str, str]
) -> tuple[int, str]:
    """Loads a checkpoint in place and returns (images seen, why nothing was loaded).

    Zero images and a reason when there is no checkpoint, or it belongs to another configuration, code or data: resuming
    from it would silently train a mixture of two arms.
    """
    if not path.exists():
        return 0, "no checkpoint"
    description, _ = tensor_file.describe(path)
    changed = [name for name in identity if identity[name] != description["identity"].get(name)]
    if changed:
        return 0, f"the checkpoint was made with another {' and '.join(changed)}"
    tensors = tensor_file.load(path)
    objective.load_state_dict(_group(tensors, "objective."))
    average.restore(tensors)
    state = optimiser.state_dict()
    for index in (index for group in state["param_groups"] for index in group["params"]):
        state["state"][index] = _group(tensors, f"optimiser.{index}.")
    optimiser.load_state_dict(state)
    return description["images"], ""


def save_model(path: Path, average: Average, A: Tensor, description: dict[str, Any]) -> None:
    """Writes a model for sampling: every average, the subspace, and what they are."""
    tensor_file.save(path, average.tensors() | {"A": A}, description)


def snapshot_path(folder: Path, number: int) -> Path:
    """Where a snapshot lies in a run's folder of snapshots."""
    return folder / f"{number:04d}.safetensors"


def load_model(path: Path | str, ema_images: int) -> tuple[dict[str, Tensor], Tensor, dict[str, Any]]:
    """The averaged weights of one horizon, the subspace A, and the description of a model.

    Raises ValueError when the run kept no such average.
    """
    prefix = f"ema_{ema_images}."
    description, names = tensor_file.describe(path)
    if not any(name.startswith(prefix) for name in names):
        kept = sorted({name.split(".")[0] for name in names if name.startswith("ema_")})
        raise ValueError(f"{path} holds no average with a horizon of {ema_images} images, only {', '.join(kept)}")
    tensors = tensor_file.load(path, lambda name: name.startswith(prefix) or name == "A")
    return _group(tensors, prefix), tensors["A"], description


def _group(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
