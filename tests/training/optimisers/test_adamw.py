"""AdamW: what it moves, and by how much."""

import pytest
import torch

from asymflow.training.optimisers import adamw

CPU = torch.device("cpu")


def test_all_that_is_trained_is_moved_the_projector_of_alignment_included(make):
    run = make()
    optimiser, said = adamw.build(run.objective, run.training, CPU)
    assert said == "AdamW" and isinstance(optimiser, torch.optim.AdamW)
    moved = {id(p) for group in optimiser.param_groups for p in group["params"]}
    assert moved == {id(p) for p in run.objective.parameters()}
    assert any(name.startswith("terms.alignment.projector") for name, _ in run.objective.named_parameters())


def test_a_step_moves_each_layer_at_its_rate(make):
    """The first step of Adam has the size of the learning rate, wherever the gradient is not tiny."""
    run = make(lr=1e-4, multiples={"final": 10.0})
    before = {name: p.detach().clone() for name, p in run.objective.named_parameters()}
    optimiser, _ = adamw.build(run.objective, run.training, CPU)
    for parameter in run.objective.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    for name, parameter in run.objective.named_parameters():
        expected = 1e-3 if ".final." in name else 1e-4
        # float32 near 1, where norms begin, has steps of 1.2e-7
        assert (before[name] - parameter).abs().max().item() == pytest.approx(expected, rel=2e-3), name


def test_it_has_the_betas_and_the_weight_decay_of_the_training(make):
    run = make(betas=(0.8, 0.97), weight_decay=0.03, lr=5e-4)
    optimiser, _ = adamw.build(run.objective, run.training, CPU)
    (group,) = optimiser.param_groups
    assert (group["betas"], group["weight_decay"], group["lr"], group["multiple"]) == ((0.8, 0.97), 0.03, 5e-4, 1.0)


def test_the_loss_falls(make):
    run = make(lr=2e-3)
    optimiser, _ = adamw.build(run.objective, run.training, CPU)
    losses = [run.step(optimiser) for _ in range(12)]
    assert losses[-1] < 0.9 * losses[0]
