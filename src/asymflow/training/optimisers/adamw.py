"""AdamW."""

import torch

from asymflow.config.training import Training
from asymflow.training.objective import Objective
from asymflow.training.optimisers.groups import groups


def build(objective: Objective, training: Training, device: torch.device) -> tuple[torch.optim.Optimizer, str]:
    """The optimiser, and a sentence for the log."""
    parameters = groups(objective.named_parameters(), training.lr, training.multiples)
    optimiser = torch.optim.AdamW(parameters, betas=training.betas, weight_decay=training.weight_decay, fused=True)
    return optimiser, "AdamW"
