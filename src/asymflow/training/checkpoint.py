"""The two files of a run: the checkpoint that an interrupted training resumes from, and the model that is sampled.

checkpoint.safetensors    objective, averages, optimiser, images seen; described by what is being trained
model.safetensors         every set of weights that the run keeps, by name; A, and the lift of arms that have one
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from asymflow import tensors
from asymflow.config.arm import Arm
from asymflow.models.assemble import Lift
from asymflow.models.condition import Shapes
from asymflow.training.averages import Average, Weights
from asymflow.training.curve import Point
from asymflow.training.sharding import gathered, spread_like


@dataclass(frozen=True)
class Progress:
    """How far a training has come, beside its tensors."""

    images: int = 0  # seen
    points: list[Point] = field(default_factory=list)  # of the curve
    losses: list[dict[str, float]] = field(default_factory=list)  # since its last point, one entry for each update
    norms: list[float] = field(default_factory=list)  # of the gradients, likewise
    seconds: float = 0.0  # since its last point
    snapshots: dict[str, str] = field(default_factory=dict)  # checksums of those that were kept, by number


def save(
    path: Path,
    objective: nn.Module,
    averages: list[Average],
    optimiser: torch.optim.Optimizer,
    progress: Progress,
    identity: dict[str, str],
) -> None:
    """Writes the state of a training. `identity` says what is being trained: configuration, code, data.

    Of the objective it has what is trained, not the frozen weights, which are as they began: those of a network that is adapted
    are many times more. The random state needs no place: every step seeds its generators from (seed, images seen). All processes
    call it and the first one writes. Raises FloatingPointError when a number in it is not finite: what was saved before stays.
    """
    contents = _prefixed("objective", _moving(objective))
    for average in averages:
        contents |= _prefixed(f"average.{average.name}", average.state())
    for index, state in optimiser.state_dict()["state"].items():
        contents |= _prefixed(f"optimiser.{index}", _flat(state))
    if contents := gathered(contents):
        _check_finite(contents, progress.images)
        description = {"progress": asdict(progress), "identity": identity, "optimiser": type(optimiser).__name__}
        tensors.save(path, "checkpoint", contents, description)


def restore(
    path: Path,
    objective: nn.Module,
    averages: list[Average],
    optimiser: torch.optim.Optimizer,
    identity: dict[str, str],
) -> tuple[Progress, str]:
    """Loads a checkpoint in place and returns (how far it had come, why nothing was loaded).

    No progress and a reason when there is no checkpoint, it is damaged, a snapshot that it counts on is, or it belongs to another
    configuration, code or data: resuming from it would silently train a mixture of two arms.
    """
    if not path.exists():
        return Progress(), "no checkpoint"
    try:
        description = tensors.describe(path, "checkpoint")
        changed = [name for name in identity if identity[name] != description["identity"].get(name)]
        if changed:
            return Progress(), f"the checkpoint was made with another {' and '.join(changed)}"
        if (kind := type(optimiser).__name__) != description["optimiser"]:  # which it is depends on what is installed
            return Progress(), f"the checkpoint has states of {description['optimiser']}, not of {kind}"
        contents, progress = tensors.load(path, "checkpoint"), Progress(**description["progress"])
        for number, checksum in progress.snapshots.items():
            snapshot = snapshot_path(path.parent / "snapshots", int(number))
            if tensors.describe(snapshot, "model")["checksum"] != checksum:
                return Progress(), f"{snapshot} is not the snapshot that this training kept"
            tensors.load(snapshot, "model")
    except (OSError, ValueError) as error:
        return Progress(), f"what was saved cannot be used: {str(error).partition(';')[0]}"
    began = objective.state_dict()
    objective.load_state_dict(began | spread_like(_group(contents, "objective"), began))
    for average in averages:
        average.restore(spread_like(_group(contents, f"average.{average.name}"), average.weights))
    state = optimiser.state_dict()
    numbers = [index for group in state["param_groups"] for index in group["params"]]
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    for index, parameter in zip(numbers, parameters, strict=True):
        saved = _group(contents, f"optimiser.{index}")
        state["state"][index] = _nested(spread_like(saved, dict.fromkeys(saved, parameter)))
    optimiser.load_state_dict(state)
    return progress, ""


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
    data: str  # the name of the data set that it saw
    began: str | None  # checksum of the model whose weights it began with
    checksum: str  # of its file


def save_model(path: Path, averages: list[Average], A: Tensor, lift: Lift | None, description: dict[str, Any]) -> str:
    """Writes a model for sampling: every set of weights, the subspace, and what they are (`Model`'s last fields by name).

    All processes call it; the first one writes, and gives the file's checksum, the others an empty text. Raises
    FloatingPointError when a number in it is not finite.
    """
    contents = {"A": A} | ({"lift": lift.A.clone()} if lift else {})
    for average in averages:
        contents |= _prefixed(average.name, average.weights)
    contents = gathered(contents)
    if not contents:
        return ""
    _check_finite(contents, description["images"])
    names = {"weights": [average.name for average in averages]}
    return tensors.save(path, "model", contents, description | names | ({"scale": lift.s} if lift else {}))


def load_model(path: Path | str, weights: str | None = None) -> Model:
    """A model with one set of weights; None: the first that it keeps.

    Raises ValueError for any other file, for a file of another version, and when the run kept no weights of that name.
    """
    description = tensors.describe(path, "model")
    name = weights or description["weights"][0]
    if name not in description["weights"]:
        raise ValueError(f"{path} holds no weights {name!r}; it has {', '.join(description['weights'])}")
    loaded = tensors.load(path, "model", lambda key: key.startswith(f"{name}/") or key in ("A", "lift"))
    lift = Lift(loaded["lift"], description["scale"]) if "lift" in loaded else None
    shapes = Shapes.parse(description["shapes"])
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
        data=description["data"],
        began=description["began"],
        checksum=description["checksum"],
    )


def snapshot_path(folder: Path, number: int) -> Path:
    """Where a snapshot lies in a run's folder of snapshots."""
    return folder / f"{number:04d}.safetensors"


def _flat(state: dict[str, Any]) -> dict[str, Tensor]:
    """An optimiser's state of one parameter as tensors alone: bitsandbytes has the steps in an int, and a dictionary within."""
    flat = {}
    for name, value in state.items():
        if isinstance(value, dict):
            flat |= _prefixed(name, _flat(value))
        else:
            flat[name] = value if isinstance(value, Tensor) else torch.tensor(value)
    return flat


def _nested(flat: dict[str, Tensor]) -> dict[str, Any]:
    """The state that `_flat` was given; torch's own optimisers have no whole number without dimensions."""
    state: dict[str, Any] = {}
    for path, value in flat.items():
        *outer, name = path.split("/")
        place = state
        for part in outer:
            place = place.setdefault(part, {})
        place[name] = value.item() if value.dtype == torch.int64 and not value.dim() else value
    return state


def _moving(objective: nn.Module) -> dict[str, Tensor]:
    """The parameters that are trained, and all buffers."""
    frozen = {name for name, parameter in objective.named_parameters() if not parameter.requires_grad}
    return {name: value for name, value in objective.state_dict().items() if name not in frozen}


def _prefixed(prefix: str, values: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}/{name}": value for name, value in values.items()}


def _group(values: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = f"{prefix}/"
    return {name.removeprefix(start): value for name, value in values.items() if name.startswith(start)}


def _check_finite(contents: dict[str, Tensor], images: int) -> None:
    for name, values in contents.items():
        if values.is_floating_point() and not values.isfinite().all():
            raise FloatingPointError(
                f"after {images} images the tensor {name} is not finite; nothing was saved of it. Lower training.lr, or lengthen"
                " training.warmup_images: the changed arm begins anew"
            )
