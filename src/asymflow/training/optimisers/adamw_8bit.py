"""AdamW with 8-bit states, where a library has them."""

import importlib

import torch

from asymflow.config.training import Training
from asymflow.training.objective import Objective
from asymflow.training.optimisers import adamw
from asymflow.training.optimisers.groups import groups

LIBRARY = "bitsandbytes"  # an optional package; its 8-bit states are for GPUs


def build(objective: Objective, training: Training, device: torch.device) -> tuple[torch.optim.Optimizer, str]:
    """AdamW with 8-bit states on a GPU where bitsandbytes is installed, torch's own elsewhere; and a sentence for the log.

    The paper's 8-bit Adam has no weight decay, so it is the same method; its states take a quarter of the memory.
    """
    why = f"8-bit states need a GPU, and this runs on {device.type}"
    if device.type == "cuda":
        try:
            library = importlib.import_module(LIBRARY)
        except ImportError:
            why = f"{LIBRARY} is not installed"
        else:
            parameters = groups(objective.named_parameters(), training.lr, training.multiples)
            options = {"betas": training.betas, "weight_decay": training.weight_decay}
            return library.optim.AdamW8bit(parameters, **options), "AdamW with 8-bit states"
    optimiser, _ = adamw.build(objective, training, device)
    return optimiser, f"AdamW with 32-bit states: {why}"
