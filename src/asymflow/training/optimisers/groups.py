"""Parameters in groups of one learning rate each."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor


def groups(parameters: Iterable[tuple[str, Tensor]], lr: float, multiples: Mapping[str, float]) -> list[dict[str, Any]]:
    """The trainable parameters in groups of one learning rate: `lr` times the multiple of the layer whose name they bear.

    A layer is named by one component of a parameter's dotted name, such as proj_out. The first group has all others; each has its
    `multiple`, so that a schedule can set lr again. Raises ValueError for a layer that trains nothing.
    """
    by_multiple: dict[float, list[Tensor]] = {1.0: []}
    used = set()
    for name, parameter in parameters:
        if not parameter.requires_grad:
            continue
        layer = next((layer for layer in multiples if layer in name.split(".")), None)
        used.add(layer)
        by_multiple.setdefault(multiples[layer] if layer else 1.0, []).append(parameter)
    if unused := sorted(set(multiples) - used):
        raise ValueError(
            f"no trained parameter belongs to a layer called {', '.join(unused)}, which has a learning rate of its own"
            " (training.multiples)"
        )
    return [
        {"params": members, "lr": lr * multiple, "multiple": multiple}
        for multiple, members in by_multiple.items()
        if members
    ]
