"""What is asked of a run: for each image a condition, and the number of the noise that it begins with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from asymflow.config.conditions import Modality
from asymflow.models.condition import Condition, example, presence
from asymflow.sampling.run import Run

# which part of a condition has which tensors
PARTS: dict[str, Modality] = {
    "label": "class", "text": "caption", "mask": "caption", "empty": "caption", "embedding": "embedding", "patches": "patches",
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """`count` images; those in `distribution` stand for what the model draws, whatever else is asked for."""

    count: int
    condition: Callable[[Sequence[int]], Condition]  # of the images with these numbers
    noises: Callable[[Sequence[int]], list[int]]  # numbers of the noises that they begin with
    distribution: range


def shown(run: Run, count: int, **tensors: Tensor) -> Condition:
    """The condition of so many images that shows the given tensors and hides everything else that the run is conditioned on.

    Tensors of parts that the run is not conditioned on are left out. Raises ValueError for captions that were read otherwise.
    """
    modalities = run.arm.conditions.modalities
    if "caption" in modalities and "text" in tensors and tensors["text"].shape[1:] != run.shapes.caption:
        l, e = tensors["text"].shape[1:]  # noqa: E741
        raise ValueError(
            f"these captions have {l} tokens of {e} channels, but the run was trained on {run.shapes.caption[0]} of"
            f" {run.shapes.caption[1]}; embed them again with the same reader"
        )
    given = {name: values for name, values in tensors.items() if PARTS[name] in modalities}
    hidden = example(run.shapes, run.grid).at(torch.zeros(count, dtype=torch.long))
    return replace(hidden, present=presence({PARTS[name] for name in given}, count), **given)
