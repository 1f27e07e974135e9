"""What optimisers move: the objective of a small arm."""

from types import SimpleNamespace

import pytest
import torch

from asymflow.config.arm import Arm
from asymflow.models.assemble import Beginning, assemble
from asymflow.models.condition import Condition, Shapes, presence
from asymflow.training.example import Example
from asymflow.training.objective import Needs, build

B, GRID, PATCH = 4, (2, 3), 4
NETWORKS = {
    "jit": {"kind": "jit", "width": 64},
    "nanodit": {"kind": "nanodit"},
    "flux": {"kind": "flux", "heads": 2, "head_width": 8, "single_blocks": 1},
}


def _arm(kind, training):
    what = "caption" if kind == "flux" else "class"
    alignment = {"block": 1, "projector": 5, "teacher": "embedded"}
    return Arm.model_validate({
        "representation": {"patch_size": PATCH}, "network": NETWORKS[kind], "target": {"rank": 0},
        "conditions": {"shown": [{"share": 1.0, "what": [what]}]}, "losses": {"alignment": alignment},
        "training": training,
    })  # fmt: skip


def _example():
    torch.manual_seed(1)
    condition = Condition(
        presence(["class", "caption"], B),
        GRID,
        label=torch.arange(B),
        text=torch.randn(B, 3, 5),
        empty=torch.zeros(3, 5),
    )
    x_0, eps, tokens = torch.randn(B, 6, 48), torch.randn(B, 6, 48), torch.randn(B, 6, 7)
    pixels = torch.zeros(B, 3, GRID[0] * PATCH, GRID[1] * PATCH)
    return Example(x_0, eps, torch.linspace(0.2, 0.9, B), condition, pixels, progress=0.0, patch_tokens=tokens)


@pytest.fixture
def make():
    """make(kind, **training) -> an objective with a projector, its training, and `step`, which gives the loss."""

    def made(kind="jit", **training):
        arm = _arm(kind, training)
        shapes = Shapes(caption=(3, 5)) if kind == "flux" else Shapes(classes=B)
        model = assemble(arm, shapes, GRID, Beginning(subspace=torch.eye(48)[:, :0]), seed=0, precision=torch.float32)
        objective = build(arm, model, Needs(0, torch.device("cpu"), patch_tokens=7))

        def step(optimiser):
            loss = sum(objective(_example()).values())
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
            return loss.item()

        return SimpleNamespace(objective=objective, training=arm.training, step=step)

    return made
