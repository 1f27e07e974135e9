"""The finetuning loss on a tiny lifted and adapted transformer."""

from dataclasses import replace

import pytest
import torch

from asymflow import tensors
from asymflow.config.arm import Arm
from asymflow.config.losses import VarianceReduction
from asymflow.data.tokens import to_pixels, to_tokens
from asymflow.flow.objective import flow_matching_loss
from asymflow.flow.path import interpolate, velocity
from asymflow.metrics import perceptual
from asymflow.models.assemble import Beginning, Lift, assemble
from asymflow.models.condition import Condition, Shapes, presence
from asymflow.models.flux import frozen
from asymflow.subspace.bases import random_basis
from asymflow.training.example import Example
from asymflow.training.objective import Needs, Objective, build
from asymflow.training.terms.variance_reduction import VarianceReductionTerm

B, GRID, PATCH, LATENT, TEXT, S = 3, (2, 3), 8, 6, 5, 1.7
D, N, CPU = 3 * PATCH**2, GRID[0] * GRID[1], torch.device("cpu")
SHAPES = Shapes(caption=(4, TEXT))


FLUX = {
    "network": {"kind": "flux", "heads": 2, "head_width": 8, "double_blocks": 1, "single_blocks": 1},
    "conditions": {"shown": [{"share": 1.0, "what": ["caption"]}]},
}
BEGUN = Arm.model_validate(
    FLUX | {"representation": {"space": "latent", "patch_size": PATCH}, "target": {"rank": "full", "basis": "identity"}}
)


def arm(reduction=None, colour="rgb", **losses) -> Arm:
    """A lifted arm; `reduction` is its variance reduction, if any."""
    return Arm.model_validate(FLUX | {
        "representation": {"patch_size": PATCH, "colour": colour}, "target": {"rank": "full", "basis": "lift"},
        "start": {"adapter": {"rank": 2, "alpha": 2.0, "dropout": 0.0}},
        "losses": {"variance_reduction": reduction} | losses,
    })  # fmt: skip


def basis():
    return random_basis(D, seed=0)[:, :LATENT].float()


def model(moved=True):
    lift = Lift(basis(), S)
    weights = assemble(BEGUN, SHAPES, GRID, Beginning(lift=lift), seed=0, precision=torch.float32).network.state_dict()
    torch.manual_seed(0)
    weights = {name: value + 0.1 * torch.randn_like(value) for name, value in weights.items()}
    made = assemble(arm(), SHAPES, GRID, Beginning(lift=lift, weights=weights), seed=0, precision=torch.float32)
    for parameter in made.network.parameters():
        if parameter.requires_grad and moved:
            parameter.data += 0.05 * torch.randn_like(parameter)
    return made


def example(t=(0.3, 0.7, 1.0), **changes) -> Example:
    torch.manual_seed(1)
    z_0 = torch.randn(B, N, LATENT)
    x_0 = S * z_0 @ basis().T + 0.1 * torch.randn(B, N, D)
    condition = Condition(presence(["caption"], B), GRID, text=torch.randn(B, 4, TEXT), empty=torch.zeros(4, TEXT))
    pixels = torch.zeros(B, 3, GRID[0] * PATCH, GRID[1] * PATCH)
    made = Example(x_0, torch.randn(B, N, D), torch.tensor(t), condition, pixels, progress=0.0, z_0=z_0)
    return replace(made, **changes)


def paired() -> Example:
    """Images that are their own lift."""
    return example(x_0=S * example().z_0 @ basis().T)


def objective(made, reduction=None, distance=None, **options) -> Objective:
    """Plain flow matching, or with the variance reduction of these values."""
    configured = arm(reduction, **options)
    terms = {} if reduction is None else {"variance_reduction": VarianceReductionTerm(configured, distance)}
    return Objective(configured, made, terms)


def predicted(made, shown):
    x_t = interpolate(shown.x_0, shown.eps, shown.t)
    return made(x_t, shown.t, shown.condition, sigma_min=1e-6)


def test_with_all_switches_off_it_is_flow_matching():
    made, shown = model(), example()
    expected = flow_matching_loss(predicted(made, shown), velocity(shown.x_0, shown.eps), shown.t, 0.05).mean()
    terms = objective(made)(shown)
    assert terms.keys() == {"flow"} and terms["flow"].item() == pytest.approx(expected.item(), rel=1e-4)


def test_where_nothing_is_left_to_correct_the_reduced_loss_vanishes():
    """At the start, on images that are their own lift, both models err alike, and the weight is 1."""
    made, shown = model(moved=False), paired()
    plain, reduced = objective(made)(shown)["flow"], objective(made, {})(shown)["flow"]
    assert plain > 0.1 and reduced < 1e-6 * plain


def test_it_is_never_larger_than_the_plain_loss_and_fades_into_it():
    made, shown = model(), example()
    plain, reduced = objective(made)(shown)["flow"], objective(made, {})(shown)["flow"]
    assert reduced < plain, "least squares"
    faded = [objective(made, {"kappa": kappa})(shown)["flow"].item() for kappa in (1e3, 0.3, 1e-4)]
    assert faded[0] == pytest.approx(reduced.item(), rel=1e-2), "hardly fades"
    assert reduced < faded[1] < plain
    late = example(t=(0.3, 0.7, 0.9))
    assert objective(made, {"kappa": 1e-4})(late)["flow"].item() == pytest.approx(
        objective(made)(late)["flow"].item(), rel=1e-3
    ), "fades at once"


def test_the_frozen_model_gets_no_gradient_and_the_adapted_one_does():
    made, shown = model(), example()
    objective(made, {"kappa": 0.3})(shown)["flow"].backward()
    for name, parameter in made.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
    with frozen(made.network):
        before = predicted(made, shown)
    assert not before.requires_grad


def test_the_frozen_model_is_the_one_that_the_arm_began_as():
    """Training moves the trained weights, so the error of the frozen model does not change."""
    (term,), other = objective(model(), {}).terms.values(), model(moved=False)
    moved, begun = (term._lifted_error(made, example()) for made in (model(), other))
    torch.testing.assert_close(moved, begun)
    assert (predicted(model(), example()) - predicted(other, example())).abs().max() > 1e-3


def test_weights_per_channel_explain_at_least_as_much():
    made, shown = model(), example()
    by_patch, by_channel = (objective(made, {"weight_per": w})(shown)["flow"] for w in ("patch", "channel"))
    assert by_channel < by_patch


def test_a_floor_of_the_weights_subtracts_less():
    made, shown = model(), example()
    plain, none, floored = (
        objective(made, reduction)(shown)["flow"] for reduction in (None, {}, {"weight_floor": 1e3})
    )
    assert none < floored < plain


def test_the_loss_is_weighted_by_place():
    made, even = model(), torch.ones(B, N)
    torch.testing.assert_close(
        objective(made, {})(example(places=even))["flow"], objective(made, {})(example())["flow"]
    )
    uneven = even.clone()
    uneven[:, :3], uneven[:, 3:] = 1.5, 0.5
    assert objective(made, {})(example(places=uneven))["flow"] != objective(made, {})(example())["flow"]


def squares(one, other):
    return (one - other).square().mean(1)


@pytest.mark.parametrize("colour", ["rgb", "oklab"])
def test_the_perceptual_part_is_gated_and_weighed(colour):
    made, shown, seen = model(), example(), []

    def distance(one, other):
        assert one.shape == other.shape == (B, 3, GRID[0] * PATCH, GRID[1] * PATCH)
        seen.append(other)
        return squares(one, other)

    once, twice = (objective(made, {"kappa": 0.3, "perceptual": w}, distance, colour=colour)(shown) for w in (0.2, 0.4))
    assert once.keys() == {"flow", "perceptual"} and torch.equal(once["flow"], twice["flow"])
    assert twice["perceptual"].item() == pytest.approx(2 * once["perceptual"].item()) and once["perceptual"] > 0
    assert torch.equal(seen[0], to_pixels(shown.x_0, GRID, arm(colour=colour))), "it sees the true image as RGB"
    noise = objective(made, {"kappa": 0.3, "perceptual": 0.2}, distance, colour=colour)(example(t=(1.0, 1.0, 1.0)))
    assert noise["perceptual"] == 0, "nothing at pure noise"
    once["perceptual"].backward()
    assert made.network.flux.base_model.model.proj_out.modules_to_save["default"].weight.grad.abs().max() > 0


def test_a_distance_is_counted_in_the_patch_where_it_is_seen():
    """A distance at one pixel of the middle patch of the second row, wherever it lies there, weighs as that patch."""
    made, shown = model(), example()

    def at(row, column):
        def distance(one, other):
            distances = torch.zeros(B, GRID[0] * PATCH, GRID[1] * PATCH)
            distances[:, row, column] = 1.0
            return distances

        return objective(made, {"kappa": 0.3, "perceptual": 1.0}, distance)(shown)["perceptual"].item()

    inside = [at(8, 8), at(15, 15), at(12, 9)]
    assert max(inside) == pytest.approx(min(inside)) and min(inside) > 0
    places = [at(4, 4), at(4, 12), at(4, 20), at(12, 4), at(12, 12), at(12, 20)]
    assert len({round(value, 6) for value in places}) == 6, "each patch has a weight of its own"
    assert places[4] == pytest.approx(inside[0])


@pytest.mark.parametrize("places", [None, 0.5 + torch.arange(B * N).view(B, N) / (B * N)], ids=["even", "uneven"])
def test_parts_of_a_batch_give_the_same_loss(places):
    made, shown = model(), example(places=places)
    minimised = objective(made, {"kappa": 0.3, "perceptual": 0.2}, squares)
    whole, parts = minimised(shown), [(minimised(part), len(part.t) / B) for part in shown.split(2)]
    assert len(parts) == 2
    for name, value in whole.items():
        assert sum(terms[name].item() * share for terms, share in parts) == pytest.approx(value.item(), rel=1e-5)


def test_features_are_aligned_in_the_trained_model_although_the_frozen_one_runs_after_it():
    alignment = {"block": 1, "teacher": "embedded", "weight": 1.0}
    made, shown = model(), example(patch_tokens=torch.randn(B, N, 7))
    alone, both = (build(arm(r, alignment=alignment), made, Needs(0, CPU, patch_tokens=7)) for r in (None, {}))
    assert list(both.terms) == ["alignment", "variance_reduction"]
    torch.testing.assert_close(both(shown)["alignment"], alone(shown)["alignment"])
    both(shown)["alignment"].backward()
    assert any(p.grad is not None and p.grad.any() for p in made.network.parameters())


def test_an_arm_s_term_measures_with_the_perceptual_network_of_its_run(tmp_path):
    torch.manual_seed(0)
    network = perceptual.untrained("squeeze")
    description = {"kind": "perceptual", "config": {"backbone": "squeeze"}}
    tensors.save(tmp_path / "perceptual.safetensors", "perceptual network", network.state_dict(), description)
    needs, made = Needs(0, CPU, perceptual=tmp_path / "perceptual.safetensors"), model()
    big = (6, 7)  # the backbone halves an image several times
    torch.manual_seed(1)
    condition = Condition(presence(["caption"], B), big, text=torch.randn(B, 4, TEXT), empty=torch.zeros(4, TEXT))
    pixels = torch.rand(B, 3, 48, 56) * 2 - 1
    t, z_0, eps = torch.tensor([0.1, 0.3, 0.5]), torch.randn(B, 42, LATENT), torch.randn(B, 42, D)
    shown = Example(to_tokens(pixels, arm()), eps, t, condition, pixels, progress=0.0, z_0=z_0)
    reduction = {"kappa": 0.3, "perceptual": 0.2}
    built = build(arm(reduction), made, needs)
    expected = objective(made, reduction, perceptual.Lpips(network, "lpips_local"))(shown)
    for name, value in built(shown).items():
        torch.testing.assert_close(value, expected[name])
    assert list(built.terms["variance_reduction"].state_dict()) == [], "the network is not part of a checkpoint"
    assert build(arm({}), made, Needs(0, CPU))(shown).keys() == {"flow"}, "without such a part none is needed"


def test_contradictory_losses_are_errors():
    with pytest.raises(ValueError, match="without kappa it never fades in"):
        VarianceReduction(perceptual=0.2)
