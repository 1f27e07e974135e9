"""P-DINO: what a teacher sees in the predicted image against what it sees in the true one."""

import pytest
import torch

from asymflow.flow.path import velocity
from asymflow.training.predicted import predicted_pixels
from asymflow.training.teachers import LocalTeacher
from asymflow.training.terms.semantic import SemanticTerm, dissimilarity


def teacher(bench):
    return LocalTeacher.load(bench.needs.evaluator, torch.device("cpu"))


def test_dissimilarity_is_one_minus_the_mean_cosine_of_each_image():
    seen = torch.tensor([[[1.0, 0.0], [0.0, 2.0]], [[3.0, 0.0], [1.0, 1.0]]])
    true = torch.tensor([[[2.0, 0.0], [0.0, -1.0]], [[0.0, 1.0], [1.0, 0.0]]])
    torch.testing.assert_close(dissimilarity(seen, true), torch.tensor([1.0, 1 - 0.5 / 2**0.5]))


def test_it_is_the_weighted_mean_dissimilarity_of_the_images_that_pass(bench):
    arm, example = bench.arm(semantic={"weight": 0.3, "gate": 0.5}), bench.example()
    u_hat = velocity(example.x_0, example.eps) + 0.1 * torch.randn_like(example.x_0)
    value = SemanticTerm(arm, teacher(bench))(bench.model, example, u_hat)["semantic"]
    seen, true = (teacher(bench)(image[:2]) for image in (predicted_pixels(example, u_hat, arm), example.pixels))
    torch.testing.assert_close(value, 0.3 * dissimilarity(seen, true).mean())
    assert value > 0


@pytest.mark.parametrize("colour", ["rgb", "oklab"])
def test_the_true_velocity_costs_nothing(bench, colour):
    arm, example = bench.arm(colour, semantic={"gate": 1.0}), bench.example(colour=colour)
    term, right = SemanticTerm(arm, teacher(bench)), velocity(example.x_0, example.eps)
    exact, wrong = (term(bench.model, example, u)["semantic"] for u in (right, right + torch.randn_like(right)))
    assert abs(exact) < 0.01 * wrong


def test_off_it_changes_nothing_and_on_the_gradient_passes_through_the_teacher(bench):
    plain, minimised = bench.objective(), bench.objective(semantic={})
    terms = minimised(bench.example())
    assert torch.equal(plain(bench.example())["flow"], terms["flow"]) and list(terms) == ["flow", "semantic"]
    terms["semantic"].backward()
    gradient = minimised.model.network.final.linear.weight.grad
    assert gradient.any() and gradient.isfinite().all()
    term = minimised.terms["semantic"]
    assert not list(term.parameters()) and not term.state_dict(), "the teacher is neither trained nor kept"
