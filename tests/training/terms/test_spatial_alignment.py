"""iREPA: a projector that sees neighbours, and a teacher's tokens without what they share."""

import pytest
import torch

from asymflow.training.features import alignment_loss
from asymflow.training.terms.spatial_alignment import contrasted

LOSS = {"spatial_alignment": {"block": 1}}


def test_contrasted_tokens_are_those_of_the_closed_form():
    tokens = torch.tensor([[[0.0, 5.0], [2.0, 5.0]]])  # means 1 and 5, deviations sqrt 2 and 0
    made = contrasted(tokens, 1.0)
    root = 2**0.5
    torch.testing.assert_close(made[..., 0], torch.tensor([[-1 / root, 1 / root]]), atol=1e-5, rtol=0)
    assert (made[..., 1] == 0).all()
    torch.testing.assert_close(
        contrasted(tokens, 0.5)[..., 0], torch.tensor([[-0.5 / root, 1.5 / root]]), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize(("gamma", "left"), [(0.0, 1.0), (0.8, 0.2), (1.0, 0.0)])
def test_gamma_is_the_share_of_the_mean_that_goes(gamma, left):
    tokens = torch.randn(3, 16, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 4
    made = contrasted(tokens, gamma)
    torch.testing.assert_close(made.std(1), torch.ones(3, 5, dtype=torch.float64), atol=1e-5, rtol=0)
    torch.testing.assert_close(made.mean(1) * tokens.std(1), left * tokens.mean(1), atol=1e-4, rtol=0)


def test_off_it_changes_nothing_and_on_it_adds_a_term_and_its_gradient(bench):
    plain, minimised = bench.objective(), bench.objective(**LOSS)
    terms = minimised(bench.example())
    assert torch.equal(plain(bench.example())["flow"], terms["flow"])
    assert list(terms) == ["flow", "spatial_alignment"] and 0 < terms["spatial_alignment"] <= 1
    terms["spatial_alignment"].backward()
    network = minimised.model.network
    assert network.blocks[0].attention.qkv.weight.grad.any() and network.blocks[1].modulation.weight.grad is None
    assert minimised.terms["spatial_alignment"].projector.weight.grad.any()


def test_the_projector_is_one_convolution_over_the_grid_and_no_part_of_a_checkpoint_but_its_own(bench):
    term = bench.objective(**LOSS).terms["spatial_alignment"]
    assert {name: tuple(p.shape) for name, p in term.named_parameters()} == {
        "projector.weight": (24, 64, 3, 3), "projector.bias": (24,),
    }  # fmt: skip
    assert term.state_dict().keys() == dict(term.named_parameters()).keys()


def test_a_place_feels_its_neighbours_in_the_grid_and_nobody_else(bench):
    minimised, example, seen = bench.objective(**LOSS), bench.example(), []
    projector = minimised.terms["spatial_alignment"].projector
    projector.register_forward_hook(lambda m, inputs, output: seen.append((inputs[0], output)))
    minimised(example)
    features, before = seen[0]
    moved = features.clone()
    moved[:, :, 1, 2] += 1  # token 6 of a grid of 4 x 4
    touched = (projector(moved) - before).abs().amax((0, 1)) > 1e-6
    assert touched.tolist() == [[row < 3 and col > 0 for col in range(4)] for row in range(4)]


def test_it_is_the_weighted_dissimilarity_to_the_contrasted_tokens_of_the_teacher(bench):
    minimised, example = bench.objective(spatial_alignment={"block": 2, "weight": 0.3, "gamma": 0.5}), bench.example()
    value, term = minimised(example)["spatial_alignment"], minimised.terms["spatial_alignment"]
    features, tokens = term.compared(example)
    w = term.projector.weight  # token 0 has neighbours to the right, below, and between these
    first = sum(features[:, i] @ w[:, :, row, col].T for i, row, col in ((0, 1, 1), (1, 1, 2), (4, 2, 1), (5, 2, 2)))
    projected = term.projector(features.mT.unflatten(2, (4, 4))).flatten(2).mT
    torch.testing.assert_close(projected[:, 0], first + term.projector.bias, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(value, 0.3 * alignment_loss(projected, contrasted(tokens, 0.5)))
