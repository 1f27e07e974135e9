"""Muon for matrices and AdamW for the rest, as one optimiser."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import islice
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from asymflow.config.training import Training
from asymflow.training.objective import Objective

QUINTIC = (
    3.4445,
    -4.7750,
    2.0315,
)  # of a step of the iteration; its slope at zero is the steepest that stays bounded [Jordan 2024]
ITERATIONS = 5


class Muon(torch.optim.Muon):
    """torch's Muon, with the iteration in a chosen precision and the matrices of one shape orthogonalised together.

    torch's iterates in bfloat16 everywhere, which is many times slower than float32 on a processor without instructions for it.
    """

    def __init__(self, parameters: Iterable[Any], *, lr: float, weight_decay: float, precision: torch.dtype):
        super().__init__(parameters, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
        self.precision = precision

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            alike = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alike[parameter.shape, parameter.device].append(parameter)
            for members in alike.values():
                self._move(members, **group)

    def _move(self, parameters: list[Tensor], *, lr: float, weight_decay: float, momentum: float, **_: Any) -> None:
        """One step of parameters of one shape; its size is 0.2 sqrt(max(rows, columns)), as Adam's is.  [Liu et al. 2025]"""
        gradients = [p.grad for p in parameters]
        for p in parameters:
            if "momentum_buffer" not in self.state[p]:
                self.state[p]["momentum_buffer"] = torch.zeros_like(p)
        velocities = [self.state[p]["momentum_buffer"] for p in parameters]
        torch._foreach_lerp_(velocities, gradients, 1 - momentum)
        updates = orthogonal(torch.stack(torch._foreach_lerp(gradients, velocities, momentum)), self.precision)
        torch._foreach_mul_(parameters, 1 - lr * weight_decay)
        rate = 0.2 * lr * max(parameters[0].shape) ** 0.5
        torch._foreach_add_(parameters, list(updates.to(parameters[0].dtype)), alpha=-rate)


def orthogonal(matrices: Float[Tensor, "n rows columns"], precision: torch.dtype) -> Float[Tensor, "n rows columns"]:
    """Matrices with the singular vectors of those given and singular values near 1, between about 0.7 and 1.2.

    X <- a X + (b X X^T + c (X X^T)^2) X, five times, from X = G / ||G||_F, in `precision`.  [Jordan 2024, Muon]
    A matrix of zeros stays one; singular values below about 0.001 of the norm are still on their way.
    """
    a, b, c = QUINTIC
    tall = matrices.shape[-2] > matrices.shape[-1]
    X = (matrices.mT if tall else matrices).to(precision)
    X = X / torch.linalg.matrix_norm(X, keepdim=True).clamp(min=1e-7)
    for _ in range(ITERATIONS):
        gram = X @ X.mT
        X = torch.baddbmm(X, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), X, beta=a)
    return X.mT if tall else X


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


def muon_and_adamw(
    parameters: Iterable[Tensor],
    others: Iterable[Tensor],
    *,
    lr: float,
    betas: tuple[float, float],
    weight_decay: float,
    precision: torch.dtype,
) -> Hybrid:
    """Muon for parameters of two dimensions, AdamW for the rest of them and for all `others`, at the same rate and decay."""
    parameters = list(parameters)
    matrices = [p for p in parameters if p.ndim == 2]
    rest = [p for p in parameters if p.ndim != 2] + list(others)
    groups = [{"params": members, "lr": lr, "multiple": 1.0} for members in (matrices, rest)]
    return Hybrid(
        Muon([groups[0]], lr=lr, weight_decay=weight_decay, precision=precision),
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
    precision = objective.model.precision
    chosen = muon_and_adamw(
        parameters,
        others,
        lr=training.lr,
        betas=training.betas,
        weight_decay=training.weight_decay,
        precision=precision,
    )
    moved = "AdamW for the patch embedding and the rest" if embedding else "AdamW for the rest"
    return chosen, f"Muon in {str(precision).removeprefix('torch.')} for matrices, {moved}"
