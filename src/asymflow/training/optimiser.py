"""The optimiser of finetuning: layers with a learning rate of their own, and 8-bit states where a library has them."""

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

EIGHT_BIT = "bitsandbytes"  # an optional package; its 8-bit states are for GPUs


def groups(parameters: Iterable[tuple[str, Tensor]], lr: float, multiples: Mapping[str, float]) -> list[dict[str, Any]]:
    """The trainable parameters in groups of one learning rate: `lr` times the multiple of the layer whose name they bear.

    A layer is named by one component of a parameter's dotted name, such as proj_out. The first group has all others; each has its
    `multiple`, so that a schedule can set lr again. Raises ValueError for a layer that trains nothing.
    """
    found: dict[float, list[Tensor]] = {1.0: []}
    used = set()
    for name, parameter in parameters:
        if not parameter.requires_grad:
            continue
        layer = next((layer for layer in multiples if layer in name.split(".")), None)
        used.add(layer)
        found.setdefault(multiples[layer] if layer else 1.0, []).append(parameter)
    if unused := sorted(set(multiples) - used):
        raise ValueError(
            f"no trained parameter belongs to a layer called {', '.join(unused)}, which has a learning rate of its own"
        )
    return [
        {"params": members, "lr": lr * multiple, "multiple": multiple} for multiple, members in found.items() if members
    ]


def adam(
    parameter_groups: list[dict[str, Any]], *, betas: tuple[float, float], weight_decay: float, device: torch.device
) -> tuple[torch.optim.Optimizer, str]:
    """AdamW with 8-bit states on a GPU where bitsandbytes is installed, torch's own elsewhere; and a sentence for the log.

    The paper's 8-bit Adam has no weight decay, so it is the same method; its states take a quarter of the memory.
    """
    if device.type == "cuda":
        try:
            library = importlib.import_module(EIGHT_BIT)
        except ImportError:
            why = f"{EIGHT_BIT} is not installed"
        else:
            return library.optim.AdamW8bit(
                parameter_groups, betas=betas, weight_decay=weight_decay
            ), "AdamW with 8-bit states"
    else:
        why = f"8-bit states need a GPU, and this runs on {device.type}"
    optimiser = torch.optim.AdamW(parameter_groups, betas=betas, weight_decay=weight_decay, fused=True)
    return optimiser, f"AdamW with 32-bit states: {why}"
