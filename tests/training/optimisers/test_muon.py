"""Muon and AdamW as one optimiser."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from asymflow.training.optimisers import muon
from asymflow.training.optimisers.muon import Muon, muon_and_adamw, orthogonal

CPU = torch.device("cpu")


def layers():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 3))


def optimiser(made, others=()):
    return muon_and_adamw(
        made.parameters(), others, lr=0.01, betas=(0.9, 0.95), weight_decay=0.1, precision=torch.bfloat16
    )


def steps(made, chosen, numbers):
    for i in numbers:
        generator = torch.Generator().manual_seed(i)
        made(torch.randn(8, 4, generator=generator)).square().sum().backward()
        chosen.step()
        chosen.zero_grad()


def test_matrices_are_muon_s_and_all_else_is_adam_s():
    made = layers()
    chosen = optimiser(made)
    steps(made, chosen, range(2))
    for parameter in made.parameters():
        assert ("momentum_buffer" in chosen.state[parameter]) == (parameter.ndim == 2)
        assert ("exp_avg" in chosen.state[parameter]) == (parameter.ndim != 2)


def test_it_does_what_the_two_of_torch_do_apart():
    """In bfloat16, which torch iterates in; matrices of one shape are products of a batch, and so round otherwise.

    The gradients of biases come through them.
    """
    together, apart = layers(), layers()
    steps(together, optimiser(together), range(3))
    matrices = torch.optim.Muon(
        [p for p in apart.parameters() if p.ndim == 2], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"
    )
    adam = torch.optim.AdamW(
        [p for p in apart.parameters() if p.ndim != 2], lr=0.01, betas=(0.9, 0.95), weight_decay=0.1, fused=True
    )
    steps(apart, SimpleNamespace(step=lambda: (matrices.step(), adam.step()), zero_grad=apart.zero_grad), range(3))
    for one, other in zip(together.parameters(), apart.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-3 if one.ndim == 2 else 2e-5)


@pytest.mark.parametrize("shape", [(3, 40, 40), (3, 24, 40), (3, 40, 24)])
def test_orthogonal_keeps_singular_vectors_and_brings_their_values_near_one(shape):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    U, S, V = torch.linalg.svd(matrices, full_matrices=False)
    values = U.mT @ orthogonal(matrices, torch.float64) @ V.mT
    of_vectors = values.diagonal(dim1=-2, dim2=-1)
    assert (values - torch.diag_embed(of_vectors)).abs().max() < 1e-10
    assert of_vectors[0.01 * S.norm() < S].min() > 0.65 and of_vectors.max() < 1.25


def test_orthogonal_does_what_torch_does_to_each_matrix():
    matrices = torch.randn(4, 48, 32, generator=torch.Generator().manual_seed(0))
    made = orthogonal(matrices, torch.bfloat16)
    assert made.dtype == torch.bfloat16
    for one, gradient in zip(made, matrices, strict=True):
        theirs = torch.optim._muon._zeropower_via_newtonschulz(gradient, (3.4445, -4.7750, 2.0315), 5, 1e-7)
        assert (one.float() - theirs.float()).abs().max() < 0.02  # of entries up to 0.5: bfloat16 keeps three digits


def test_orthogonal_leaves_zeros_and_the_gradient_alone():
    gradient = torch.zeros(1, 3, 2)
    assert torch.equal(orthogonal(gradient, torch.float32), torch.zeros(1, 3, 2))
    gradient = torch.ones(1, 3, 2)
    orthogonal(gradient, torch.float32)
    assert torch.equal(gradient, torch.ones(1, 3, 2))


def test_matrices_of_one_shape_are_orthogonalised_together_in_the_precision_that_was_asked(monkeypatch):
    seen = []
    monkeypatch.setattr(muon, "orthogonal", lambda x, precision: seen.append((tuple(x.shape), precision)) or x)
    made = nn.ModuleList(nn.Linear(4, rows, bias=False) for rows in (6, 3, 6))
    chosen = Muon(made.parameters(), lr=0.01, weight_decay=0.0, precision=torch.float32)
    for parameter in made.parameters():
        parameter.grad = torch.ones_like(parameter)
    chosen.step()
    assert seen == [((2, 6, 4), torch.float32), ((1, 3, 4), torch.float32)]


def test_a_matrix_without_a_gradient_stays(make):
    made = layers()
    before = made[2].weight.detach().clone()
    chosen = Muon([made[0].weight, made[2].weight], lr=0.01, weight_decay=0.1, precision=torch.float32)
    made[0].weight.grad = torch.ones_like(made[0].weight)
    chosen.step()
    assert torch.equal(made[2].weight, before) and "momentum_buffer" not in chosen.state[made[2].weight]


def test_a_step_of_muon_has_the_size_of_one_of_adam():
    """Of 0.2 root mean square, times the rate, whatever the gradient's size."""
    made = nn.Linear(32, 48, bias=False)
    before = made.weight.detach().clone()
    chosen = muon_and_adamw(
        made.parameters(), [], lr=0.01, betas=(0.9, 0.95), weight_decay=0.0, precision=torch.float32
    )
    made.weight.grad = 1e3 * torch.randn(48, 32, generator=torch.Generator().manual_seed(0))
    chosen.step()
    rms = (made.weight - before).square().mean().sqrt().item()
    assert rms == pytest.approx(0.01 * 0.2, rel=0.3)  # five Newton-Schulz steps leave singular values near 1, not at it


def test_the_rate_of_its_groups_is_the_rate_of_its_parts():
    made, still = layers(), layers()
    chosen = optimiser(made)
    for group in chosen.param_groups:
        group["lr"] = 0.0
    steps(made, chosen, range(2))
    for one, other in zip(made.parameters(), still.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_state_that_is_read_back_goes_on_as_if_nothing_had_happened():
    through, resumed = layers(), layers()
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


def test_other_matrices_are_adam_s_too():
    body, others = layers(), nn.Linear(4, 4)
    chosen = optimiser(body, others.parameters())
    steps(nn.Sequential(others, body), chosen, range(2))
    for parameter in others.parameters():
        assert "exp_avg" in chosen.state[parameter] and "momentum_buffer" not in chosen.state[parameter]
    assert "momentum_buffer" in chosen.state[body[0].weight]


@pytest.mark.parametrize("kind", ["jit", "nanodit", "flux"])
@pytest.mark.parametrize("embedding", [False, True])
def test_the_patch_embedding_is_adam_s_unless_the_training_says_otherwise(make, kind, embedding):
    run = make(kind, optimiser="muon", muon_embedding=embedding)
    chosen, said = muon.build(run.objective, run.training, CPU)
    run.step(chosen)
    moved = "AdamW for the rest" if embedding else "AdamW for the patch embedding and the rest"
    assert said == f"Muon in float32 for matrices, {moved}"
    patch_embedding = {id(p) for p in run.objective.model.network.embed.parameters()}
    for name, parameter in run.objective.named_parameters():
        by_muon = parameter.ndim == 2 and (embedding or id(parameter) not in patch_embedding)
        assert ("momentum_buffer" in chosen.state[parameter]) == by_muon, name
        assert ("exp_avg" in chosen.state[parameter]) != by_muon, name


def test_everything_that_is_trained_is_moved_once_and_nothing_else(make):
    run = make(optimiser="muon")
    run.objective.model.network.embed.expand.requires_grad_(False)
    run.objective.model.network.final.linear.requires_grad_(False)
    chosen, _ = muon.build(run.objective, run.training, CPU)
    moved = [id(p) for group in chosen.param_groups for p in group["params"]]
    assert sorted(moved) == sorted(id(p) for p in run.objective.parameters() if p.requires_grad)


def test_it_has_the_rate_the_betas_and_the_weight_decay_of_the_training(make):
    run = make(optimiser="muon", lr=5e-4, betas=(0.8, 0.97), weight_decay=0.03)
    chosen, _ = muon.build(run.objective, run.training, CPU)
    matrices, rest = chosen.param_groups
    assert rest["betas"] == (0.8, 0.97)
    for group in (matrices, rest):
        assert (group["lr"], group["multiple"], group["weight_decay"]) == (5e-4, 1.0, 0.03)


def test_the_loss_falls(make):
    run = make(optimiser="muon", lr=2e-3)
    chosen, _ = muon.build(run.objective, run.training, CPU)
    losses = [run.step(chosen) for _ in range(12)]
    assert losses[-1] < 0.9 * losses[0]
