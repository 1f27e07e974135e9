"""The perceptual distance between the predicted and the true image, at low noise."""

import pytest
import torch
from torch.nn.functional import avg_pool2d

from asymflow.flow.path import velocity
from asymflow.metrics import perceptual
from asymflow.training.predicted import predicted_pixels
from asymflow.training.terms.perceptual import PerceptualTerm


def network(bench):
    return perceptual.load(bench.needs.perceptual, "squeeze", torch.device("cpu"))


@pytest.mark.parametrize("half", [False, True])
def test_it_is_the_weighted_mean_distance_of_the_images_that_pass(bench, half):
    arm, example = bench.arm(perceptual={"weight": 0.3, "gate": 0.5, "half": half}), bench.example()
    u_hat = velocity(example.x_0, example.eps) + 0.1 * torch.randn_like(example.x_0)
    # the smallest that can look at half of 32 pixels
    seeing = perceptual.Lpips(perceptual.untrained("vgg"), "lpips_local") if half else network(bench)
    value = PerceptualTerm(arm, seeing)(bench.model, example, u_hat)["perceptual"]
    images = predicted_pixels(example, u_hat, arm)[:2], example.pixels[:2]  # of noise levels 0.1, 0.4, 0.7 and 1
    shrunk = [avg_pool2d(image, 2) if half else image for image in images]
    torch.testing.assert_close(value, 0.3 * seeing(*shrunk).mean())
    assert value > 0


@pytest.mark.parametrize("colour", ["rgb", "oklab"])
def test_the_true_velocity_costs_nothing(bench, colour):
    arm, example = bench.arm(colour, perceptual={"gate": 1.0}), bench.example(colour=colour)
    term = PerceptualTerm(arm, network(bench))
    right = velocity(example.x_0, example.eps)
    exact, wrong = (term(bench.model, example, u)["perceptual"] for u in (right, right + 0.3 * torch.randn_like(right)))
    assert exact < 0.01 * wrong


def test_off_it_changes_nothing_and_on_it_adds_a_term_and_its_gradient(bench):
    plain, minimised = bench.objective(), bench.objective(perceptual={})
    terms = minimised(bench.example())
    assert torch.equal(plain(bench.example())["flow"], terms["flow"])
    assert list(terms) == ["flow", "perceptual"] and terms["perceptual"] > 0
    terms["perceptual"].backward()
    gradient = minimised.model.network.final.linear.weight.grad
    assert gradient.any() and gradient.isfinite().all()
    term = minimised.terms["perceptual"]
    assert not list(term.parameters()) and not term.state_dict(), "its network is neither trained nor kept"


def test_at_high_noise_alone_it_is_exactly_zero_and_leaves_the_gradient_of_the_flow(bench):
    example = bench.example(t=(0.8, 0.9, 0.95, 1.0))
    gradients = []
    for minimised in (bench.objective(), bench.objective(perceptual={}, semantic={})):
        terms = minimised(example)
        sum(terms.values()).backward()
        gradients.append([p.grad for p in minimised.model.parameters()])
    assert terms["perceptual"].item() == 0 and terms["semantic"].item() == 0
    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))
