"""The two files of a run: the checkpoint that an interrupted training resumes from, and the model that is sampled.

checkpoint.safetensors    objective, averages, optimiser, images seen; described by what is being trained
model.safetensors         every set of weights that the run keeps, by name; A, and the lift of arms that have one
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from asymflow import tensors as tensor_file
from asymflow.config.arm import Arm
from asymflow.models.assemble import Lift
from asymflow.models.condition import Shapes
from asymflow.training.averages import Average, Weights

KIND, FORMAT = "model", 1


def save(
    path: Path,
    objective: nn.Module,
    averages: list[Average],
    optimiser: torch.optim.Optimizer,
    images: int,
    identity: dict[str, str],
) -> None:
    """Writes the state after `images` images. `identity` says what is being trained: configuration, code, data.

    The random state needs no place: every step seeds its generators from (seed, images seen).
    """
    tensors = _prefixed("objective", objective.state_dict())
    for average in averages:
        tensors |= _prefixed(f"average.{average.name}", average.state())
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= _prefixed(f"optimiser.{index}", state)
    tensor_file.save(path, tensors, {"images": images, "identity": identity})


def restore(
    path: Path,
    objective: nn.Module,
    averages: list[Average],
    optimiser: torch.optim.Optimizer,
    identity: dict[str, str],
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
    objective.load_state_dict(_group(tensors, "objective"))
    for average in averages:
        average.restore(_group(tensors, f"average.{average.name}"))
    state = optimiser.state_dict()
    for index in (index for group in state["param_groups"] for index in group["params"]):
        state["state"][index] = _group(tensors, f"optimiser.{index}")
    optimiser.load_state_dict(state)
    return description["images"], ""


@dataclass(frozen=True)
class Model:
    """What the file of a model holds: one set of weights, what they mean, and what they are of."""

    weights: Weights
    A: Tensor
    lift: Lift | None
    arm: Arm
    shapes: Shapes  # of what it is conditioned on
    classes: tuple[str, ...]  # their names, where it is conditioned on them
    image_size: int  # pixels
    seed: int  # of its training
    images: int  # that it has seen


def save_model(path: Path, averages: list[Average], A: Tensor, lift: Lift | None, description: dict[str, Any]) -> None:
    """Writes a model for sampling: every set of weights, the subspace, and what they are (`Model`'s last fields by name)."""
    tensors = {"A": A} | ({"lift": lift.A.clone()} if lift else {})
    for average in averages:
        tensors |= _prefixed(average.name, average.weights)
    header = {"kind": KIND, "format": FORMAT, "weights": [average.name for average in averages]}
    tensor_file.save(path, tensors, description | header | ({"scale": lift.s} if lift else {}))


def load_model(path: Path | str, weights: str | None = None) -> Model:
    """A model with one set of weights; None: the first that it keeps.

    Raises ValueError for any other file, for a file of another version, and when the run kept no weights of that name.
    """
    description, _ = tensor_file.describe(path)
    if description.get("kind") != KIND or description.get("format") != FORMAT:
        actual = f"{description.get('kind')!r} of format {description.get('format')}"
        raise ValueError(
            f"{path} holds a {actual}, not a model of format {FORMAT}; stage train writes one: train the arm again"
        )
    name = weights or description["weights"][0]
    if name not in description["weights"]:
        raise ValueError(f"{path} holds no weights {name!r}; it has {', '.join(description['weights'])}")
    loaded = tensor_file.load(path, lambda key: key.startswith(f"{name}/") or key in ("A", "lift"))
    lift = Lift(loaded["lift"], description["scale"]) if "lift" in loaded else None
    shapes = Shapes(**{key: tuple(v) if isinstance(v, list) else v for key, v in description["shapes"].items()})
    return Model(
        weights=_group(loaded, name),
        A=loaded["A"],
        lift=lift,
        arm=Arm.model_validate(description["arm"]),
        shapes=shapes,
        classes=tuple(description["classes"]),
        image_size=description["image_size"],
        seed=description["seed"],
        images=description["images"],
    )


def snapshot_path(folder: Path, number: int) -> Path:
    """Where a snapshot lies in a run's folder of snapshots."""
    return folder / f"{number:04d}.safetensors"


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}/{name}": value for name, value in tensors.items()}


def _group(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = f"{prefix}/"
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
