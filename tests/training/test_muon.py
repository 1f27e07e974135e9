"""Muon and Adam as one optimiser."""

import pytest
import torch
from torch import nn

from asymflow.training.muon import muon_and_adam


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 3))


def optimiser(made):
    return muon_and_adam(made.parameters(), lr=0.01, betas=(0.9, 0.95), weight_decay=0.1)


def steps(made, chosen, numbers):
    for i in numbers:
        generator = torch.Generator().manual_seed(i)
        made(torch.randn(8, 4, generator=generator)).square().sum().backward()
        chosen.step()
        chosen.zero_grad()


def test_matrices_are_muon_s_and_all_else_is_adam_s():
    made = model()
    chosen = optimiser(made)
    steps(made, chosen, range(2))
    for parameter in made.parameters():
        assert ("momentum_buffer" in chosen.state[parameter]) == (parameter.ndim == 2)
        assert ("exp_avg" in chosen.state[parameter]) == (parameter.ndim != 2)


def test_it_does_what_the_two_do_apart():
    together, apart = model(), model()
    steps(together, optimiser(together), range(3))
    muon = torch.optim.Muon(
        [p for p in apart.parameters() if p.ndim == 2], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"
    )
    adam = torch.optim.AdamW(
        [p for p in apart.parameters() if p.ndim != 2], lr=0.01, betas=(0.9, 0.95), weight_decay=0.1, fused=True
    )
    for i in range(3):
        apart(torch.randn(8, 4, generator=torch.Generator().manual_seed(i))).square().sum().backward()
        for part in (muon, adam):
            part.step()
            part.zero_grad()
    for one, other in zip(together.parameters(), apart.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_step_of_muon_has_the_size_of_one_of_adam():
    """Of 0.2 root mean square, times the rate, whatever the gradient's size."""
    made = nn.Linear(32, 48, bias=False)
    before = made.weight.detach().clone()
    chosen = muon_and_adam(made.parameters(), lr=0.01, betas=(0.9, 0.95), weight_decay=0.0)
    made.weight.grad = 1e3 * torch.randn(48, 32, generator=torch.Generator().manual_seed(0))
    chosen.step()
    rms = (made.weight - before).square().mean().sqrt().item()
    assert rms == pytest.approx(0.01 * 0.2, rel=0.3)  # five Newton-Schulz steps leave singular values near 1, not at it


def test_the_rate_of_its_groups_is_the_rate_of_its_parts():
    made, still = model(), model()
    chosen = optimiser(made)
    for group in chosen.param_groups:
        group["lr"] = 0.0
    steps(made, chosen, range(2))
    for one, other in zip(made.parameters(), still.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_state_that_is_read_back_goes_on_as_if_nothing_had_happened():
    through, resumed = model(), model()
    steps(through, optimiser(through), range(5))
    first = optimiser(resumed)
    steps(resumed, first, range(2))
    second = optimiser(resumed)
    second.load_state_dict(first.state_dict())
    for group in second.param_groups:  # a schedule sets it anew, in the groups that were read back
        group["lr"] = 0.01
    steps(resumed, second, range(2, 5))
    for one, other in zip(through.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)
