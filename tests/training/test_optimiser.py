import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from asymflow.training.optimiser import adam, groups

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def network():
    made = nn.ModuleDict({"body": nn.Linear(2, 2), "frozen": nn.Linear(2, 2), "proj_out": nn.Linear(2, 2, bias=False)})
    made["frozen"].requires_grad_(False)
    return made


def test_a_layer_s_own_rate_and_what_is_frozen():
    made = network()
    rest, ends = groups(made.named_parameters(), 1e-4, {"proj_out": 10.0})
    assert (rest["lr"], rest["multiple"], len(rest["params"])) == (1e-4, 1.0, 2)
    assert ends["lr"] == pytest.approx(1e-3) and ends["multiple"] == 10 and ends["params"][0] is made["proj_out"].weight


def test_without_multiples_there_is_one_group_and_an_unknown_layer_is_an_error():
    assert len(groups(network().named_parameters(), 1e-4, {})) == 1
    with pytest.raises(ValueError, match="no trained parameter belongs to a layer called frozen, proj_in"):
        groups(network().named_parameters(), 1e-4, {"frozen": 2.0, "proj_in": 10.0})


def test_a_step_moves_each_layer_at_its_rate():
    """The first step of Adam has the size of the learning rate."""
    made = network()
    before = {name: p.detach().clone() for name, p in made.named_parameters()}
    optimiser, said = adam(
        groups(made.named_parameters(), 1e-4, {"proj_out": 10.0}), betas=(0.9, 0.95), weight_decay=0.0, device=CPU
    )
    sum(p.sum() for p in made.parameters()).backward()
    optimiser.step()
    moved = {name: (before[name] - p).abs().max().item() for name, p in made.named_parameters()}
    assert moved["body.weight"] == pytest.approx(1e-4, rel=1e-3) and moved["frozen.weight"] == 0
    assert moved["proj_out.weight"] == pytest.approx(1e-3, rel=1e-3)
    assert said == "AdamW with 32-bit states: 8-bit states need a GPU, and this runs on cpu"


class EightBit(torch.optim.SGD):
    """Stands for the library's optimiser and keeps what it was given."""

    def __init__(self, parameters, **options):
        self.given = options
        super().__init__(parameters)


def test_eight_bits_where_the_library_is(monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", SimpleNamespace(optim=SimpleNamespace(AdamW8bit=EightBit)))
    parameters = [{"params": [nn.Parameter(torch.zeros(1))]}]
    optimiser, said = adam(parameters, betas=(0.9, 0.95), weight_decay=0.0, device=CUDA)
    assert isinstance(optimiser, EightBit) and said == "AdamW with 8-bit states"
    assert optimiser.given == {"betas": (0.9, 0.95), "weight_decay": 0.0}


def test_a_gpu_without_the_library_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    _, said = adam([{"params": [nn.Parameter(torch.zeros(1))]}], betas=(0.9, 0.95), weight_decay=0.0, device=CUDA)
    assert said == "AdamW with 32-bit states: bitsandbytes is not installed"
