"""The finetuning loss on a tiny lifted and adapted transformer."""

import pytest
import torch

from asymflow.config.loss import Loss
from asymflow.config.transformer import Adapter, Transformer
from asymflow.flow.objective import flow_matching_loss
from asymflow.flow.path import interpolate, velocity
from asymflow.models.text_transformer import adapt, build, frozen, grid_positions, lift
from asymflow.models.velocity import VelocityModel
from asymflow.subspace.bases import random_basis
from asymflow.training.finetuning import Finetuning, TextExample

B, GRID, PATCH, LATENT, TEXT, S = 3, (2, 3), 2, 6, 5, 1.7
D, N = 3 * PATCH**2, GRID[0] * GRID[1]
REDUCED = {"variance_reduction": True}


def model(moved=True):
    torch.manual_seed(0)
    network, A = (
        build(Transformer(heads=2, head_width=8, double_blocks=1, single_blocks=1), token=LATENT, text=TEXT),
        basis(),
    )
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    lift(network, A)
    adapt(network, Adapter(rank=2, alpha=2.0, dropout=0.0))
    for parameter in network.parameters():
        if parameter.requires_grad and moved:
            parameter.data += 0.05 * torch.randn_like(parameter)
    return VelocityModel(network, A, S, torch.float32)


def basis():
    return random_basis(D, seed=0)[:, :LATENT].float()


def example(t=(0.3, 0.7, 1.0)):
    torch.manual_seed(1)
    z_0 = torch.randn(B, N, LATENT)
    x_0 = S * z_0 @ basis().T + 0.1 * torch.randn(B, N, D)
    return TextExample(
        x_0, z_0, torch.randn(B, N, D), torch.tensor(t), torch.randn(B, 4, TEXT), grid_positions(*GRID), GRID
    )


def objective(made, distance=None, **loss):
    return Finetuning(made, Loss(**loss), 1e-6, PATCH, "rgb", distance)


def predicted(made, shown):
    x_t = interpolate(shown.x_0, shown.eps, shown.t)
    return made(x_t, shown.t, shown.text, shown.positions, sigma_min=1e-6)


def test_with_all_switches_off_it_is_flow_matching():
    made, shown = model(), example()
    expected = flow_matching_loss(predicted(made, shown), velocity(shown.x_0, shown.eps), shown.t, 0.05).mean()
    terms = objective(made)(shown)
    assert terms.keys() == {"flow"} and terms["flow"].item() == pytest.approx(expected.item(), rel=1e-4)


def test_where_nothing_is_left_to_correct_the_reduced_loss_vanishes():
    """At the start, on images that are their own lift, both models err alike, and the weight is 1."""
    made, shown = model(moved=False), example()
    paired = TextExample(S * shown.z_0 @ basis().T, shown.z_0, shown.eps, shown.t, shown.text, shown.positions, GRID)
    plain, reduced = objective(made)(paired)["flow"], objective(made, **REDUCED)(paired)["flow"]
    assert plain > 0.1 and reduced < 1e-6 * plain


def test_it_is_never_larger_than_the_plain_loss_and_fades_into_it():
    made, shown = model(), example()
    plain, reduced = objective(made)(shown)["flow"], objective(made, **REDUCED)(shown)["flow"]
    assert reduced < plain, "least squares"
    faded = [objective(made, **REDUCED, kappa=kappa)(shown)["flow"].item() for kappa in (1e3, 0.3, 1e-4)]
    assert faded[0] == pytest.approx(reduced.item(), rel=1e-2), "hardly fades"
    assert reduced < faded[1] < plain
    late = example(t=(0.3, 0.7, 0.9))
    assert objective(made, **REDUCED, kappa=1e-4)(late)["flow"].item() == pytest.approx(
        objective(made)(late)["flow"].item(), rel=1e-3
    ), "fades at once"


def test_the_frozen_model_gets_no_gradient_and_the_adapted_one_does():
    made, shown = model(), example()
    objective(made, **REDUCED, kappa=0.3)(shown)["flow"].backward()
    for name, parameter in made.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
    with frozen(made.network):
        before = predicted(made, shown)
    assert not before.requires_grad


def test_weights_per_channel_explain_at_least_as_much():
    made, shown = model(), example()
    by_patch, by_channel = (objective(made, **REDUCED, weight_per=w)(shown)["flow"] for w in ("patch", "channel"))
    assert by_channel < by_patch


def test_the_perceptual_part_is_gated_and_weighed():
    made, shown = model(), example()

    def distance(a, b):
        assert a.shape == b.shape == (B, 3, GRID[0] * PATCH, GRID[1] * PATCH)
        return (a - b).square().mean(1)

    once, twice = (objective(made, distance, **REDUCED, kappa=0.3, perceptual=w)(shown) for w in (0.2, 0.4))
    assert once.keys() == {"flow", "perceptual"} and torch.equal(once["flow"], twice["flow"])
    assert twice["perceptual"].item() == pytest.approx(2 * once["perceptual"].item()) and once["perceptual"] > 0
    noise = objective(made, distance, **REDUCED, kappa=0.3, perceptual=0.2)(example(t=(1.0, 1.0, 1.0)))
    assert noise["perceptual"] == 0, "nothing at pure noise"
    once["perceptual"].backward()
    assert made.network.flux.base_model.model.proj_out.modules_to_save["default"].weight.grad.abs().max() > 0


def test_parts_of_a_batch_give_the_same_loss():
    made, shown = model(), example()
    whole = objective(made, **REDUCED, kappa=0.3)(shown)["flow"].item()
    parts = [objective(made, **REDUCED, kappa=0.3)(part)["flow"].item() * len(part.t) / B for part in shown.split(2)]
    assert len(parts) == 2 and sum(parts) == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kappa": 0.3}, "there is no variance_reduction to fade"),
        ({"variance_reduction": True, "perceptual": 0.2}, "without kappa it never fades in"),
    ],
)
def test_contradictory_losses_are_errors(values, message):
    with pytest.raises(ValueError, match=message):
        Loss(**values)


def test_a_perceptual_part_needs_its_network():
    with pytest.raises(ValueError, match="no network to measure it"):
        objective(model(), **REDUCED, kappa=0.3, perceptual=0.2)
