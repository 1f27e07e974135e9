"""Runs small enough to be drawn from at once."""

import pytest
import torch

from asymflow.config.arm import Arm
from asymflow.machine import Machine
from asymflow.models.assemble import Beginning, assemble
from asymflow.models.condition import Shapes
from asymflow.models.velocity import VelocityModel
from asymflow.sampling.run import Run

SIZE, PATCH, GRID, D = 6, 2, (3, 3), 12
CPU = Machine(torch.device("cpu"), torch.float32, compiled=False)
SHAPES = Shapes(classes=3, caption=(4, 5), embedding=6, patches=(9, 7), joints=2)
NETWORKS = {
    "jit": {"kind": "jit", "width": 64},
    "nanodit": {"kind": "nanodit", "tread": 0.5},
    "flux": {"kind": "flux", "heads": 2, "head_width": 8, "single_blocks": 1},
}


def _run(model, arm, shapes, more):
    given = {
        "image_size": SIZE,
        "grid": GRID,
        "classes": ("cat", "dog", "owl")[: shapes.classes],
        "seed": 7,
        "images": 640,
    }
    return Run(model=model, arm=arm, machine=CPU, shapes=shapes, **given | more)


@pytest.fixture
def run_of():
    """run_of(network, A, shapes, arm's sections, run's fields) -> a run of any network, by default of x_0-prediction."""

    def made(network, A=None, shapes=Shapes(classes=3), sections=None, **more):  # noqa: B008
        arm = Arm.model_validate({"representation": {"patch_size": PATCH}, "target": {"rank": 0}} | (sections or {}))
        return _run(
            VelocityModel(network, torch.eye(D)[:, :0] if A is None else A, 1.0, torch.float32), arm, shapes, more
        )

    return made


@pytest.fixture
def drawn_run():
    """drawn_run(kind, told, arm's sections) -> a run of a JiT, NanoDiT or FLUX.2 whose weights have moved."""

    def made(kind, modalities=("class",), **sections):
        given = {
            "representation": {"patch_size": PATCH}, "network": NETWORKS[kind], "target": {"rank": 4},
            "conditions": {"shown": [{"share": 0.5}, {"share": 0.5, "what": list(modalities)}], "joints": 2},
        }  # fmt: skip
        arm = Arm.model_validate(given | sections)
        shapes = Shapes(
            **{name: getattr(SHAPES, name) for name in ("classes" if n == "class" else n for n in modalities)}
        )
        beginning = Beginning(subspace=torch.eye(D)[:, :4])
        model = assemble(arm, shapes, GRID, beginning, seed=0, precision=torch.float32)
        torch.manual_seed(0)
        for parameter in model.network.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
        return _run(model.eval().requires_grad_(False), arm, shapes, {})

    return made
