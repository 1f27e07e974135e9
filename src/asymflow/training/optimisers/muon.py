"""Muon for matrices and Adam for the rest, as one optimiser."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from asymflow.config.training import Training
from asymflow.training.objective import Objective


class Hybrid(torch.optim.Optimizer):
    """Several optimisers of different parameters that step together, with one state and one list of groups."""

    def __init__(self, *parts: torch.optim.Optimizer):
        self.parts = parts
        super().__init__([group for part in parts for group in part.param_groups], {})
        self._share()

    def _share(self) -> None:
        """Lets the parts work on the state and the groups that are held here."""
        groups = iter(self.param_groups)
        for part in self.parts:
            part.state, part.param_groups = self.state, list(islice(groups, len(part.param_groups)))

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for part in self.parts:
            part.step()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._share()


def muon_and_adam(
    parameters: Iterable[Tensor],
    others: Iterable[Tensor],
    *,
    lr: float,
    betas: tuple[float, float],
    weight_decay: float,
) -> Hybrid:
    """Muon for parameters of two dimensions, AdamW for the rest of them and for all `others`, at the same rate and decay.

    Muon's step has the size of Adam's: 0.2 sqrt(max(rows, columns)) times the orthogonalised momentum.  [Liu et al. 2025]
    """
    parameters = list(parameters)
    matrices = [p for p in parameters if p.ndim == 2]
    rest = [p for p in parameters if p.ndim != 2] + list(others)
    groups = [{"params": members, "lr": lr, "multiple": 1.0} for members in (matrices, rest)]
    return Hybrid(
        torch.optim.Muon([groups[0]], weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW([groups[1]], betas=betas, weight_decay=weight_decay, fused=True),
    )


def build(objective: Objective, training: Training, device: torch.device) -> tuple[Hybrid, str]:
    """The optimiser, and a sentence for the log.

    The patch embedding is AdamW's unless `muon_embedding` says otherwise: in prx-tg it is a convolution, of four dimensions.
    """
    embedding = [] if training.muon_embedding else list(objective.model.network.embed.parameters())
    apart = set(map(id, embedding))
    parameters = [p for p in objective.parameters() if p.requires_grad and id(p) not in apart]
    others = [p for p in embedding if p.requires_grad]
    options = {"lr": training.lr, "betas": training.betas, "weight_decay": training.weight_decay}
    moved = "AdamW for the patch embedding and the rest" if embedding else "AdamW for the rest"
    return muon_and_adam(parameters, others, **options), f"Muon for matrices, {moved}"
