"""The file of a trained text-to-image arm: what was trained, the lift, and what they are."""

from pathlib import Path
from typing import Any

from torch import Tensor

from asymflow import tensors as tensor_file
from asymflow.config.text_arm import TextArm
from asymflow.models.text_model import Lift
from asymflow.subspace import file as subspace_file
from asymflow.subspace.patches import CHANNEL_FIRST
from asymflow.training.ema import PowerAverage

PREFIX = "ema."


def load_lift(path: Path, arm: TextArm) -> Lift:
    """The lift in a subspace file, checked against the arm's patches.

    Raises ValueError when it is no lift, or one of other patches, another order or colour space.
    """
    found = subspace_file.load(path, patch_size=arm.patch_size, order=CHANNEL_FIRST, colour=arm.colour)
    if found.kind != "procrustes":
        raise ValueError(
            f"{path} holds a {found.kind} basis, not the lift of a latent space; stage fit_lift writes one"
        )
    return Lift(found.columns(found.basis.shape[1]), found.scale)


def save(path: Path, average: PowerAverage, lift: Lift, description: dict[str, Any]) -> None:
    """Writes the averages of what was trained."""
    weights = {f"{PREFIX}{name}": value for name, value in average.weights.items()}
    tensor_file.save(path, weights | {"A": lift.A}, description | {"s": lift.s})


def load(path: Path) -> tuple[dict[str, Tensor], Lift, dict[str, Any]]:
    """Trained weights, lift and description. Raises ValueError for a file of anything else."""
    told, _ = tensor_file.describe(path)
    if told.get("kind") != "text model":
        raise ValueError(f"{path} is no model of a text-to-image arm; stage train_text writes one")
    return load_weights(path), Lift(tensor_file.load(path, lambda name: name == "A")["A"], told["s"]), told


def load_weights(path: Path) -> dict[str, Tensor]:
    """The trained weights by name."""
    found = tensor_file.load(path, lambda name: name.startswith(PREFIX))
    return {name.removeprefix(PREFIX): value for name, value in found.items()}
