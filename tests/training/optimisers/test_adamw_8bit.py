"""AdamW with 8-bit states where a library has them, and what is said where not."""

import sys
from types import SimpleNamespace

import pytest
import torch

from asymflow.training.optimisers import adamw_8bit

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


class EightBit(torch.optim.SGD):
    """Stands for the library's optimiser and keeps what it was given."""

    def __init__(self, parameters, **options):
        self.given = options
        super().__init__(parameters)


@pytest.fixture
def run(make):
    return make(lr=1e-4, betas=(0.9, 0.95), multiples={"final": 10.0})


def test_eight_bits_where_the_library_is(monkeypatch, run):
    monkeypatch.setitem(sys.modules, "bitsandbytes", SimpleNamespace(optim=SimpleNamespace(AdamW8bit=EightBit)))
    optimiser, said = adamw_8bit.build(run.objective, run.training, CUDA)
    assert isinstance(optimiser, EightBit) and said == "AdamW with 8-bit states"
    assert optimiser.given == {"betas": (0.9, 0.95), "weight_decay": 0.0}
    assert [(group["lr"], group["multiple"]) for group in optimiser.param_groups] == [
        (1e-4, 1.0),
        (pytest.approx(1e-3), 10.0),
    ]
    moved = {id(p) for group in optimiser.param_groups for p in group["params"]}
    assert moved == {id(p) for p in run.objective.parameters()}


def test_a_gpu_without_the_library_is_said(monkeypatch, run):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    optimiser, said = adamw_8bit.build(run.objective, run.training, CUDA)
    assert said == "AdamW with 32-bit states: bitsandbytes is not installed"
    assert isinstance(optimiser, torch.optim.AdamW) and [g["multiple"] for g in optimiser.param_groups] == [1.0, 10.0]


def test_elsewhere_it_is_torch_s_own(monkeypatch, run):
    monkeypatch.setitem(sys.modules, "bitsandbytes", SimpleNamespace(optim=SimpleNamespace(AdamW8bit=EightBit)))
    optimiser, said = adamw_8bit.build(run.objective, run.training, CPU)
    assert said == "AdamW with 32-bit states: 8-bit states need a GPU, and this runs on cpu"
    assert isinstance(optimiser, torch.optim.AdamW)
