import torch
from torch.nn.functional import cross_entropy, one_hot

from asymflow.metrics.probe import accuracy, fit


def problem(count=200, dimension=5, classes=3):
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, classes, (count,), generator=generator)
    centres = torch.randn(classes, dimension, generator=generator)
    scales = torch.tensor([1.0, 0.1, 1.0, 10.0, 0.01])  # badly scaled, as whitened coordinates must not mind
    return (centres[labels] + torch.randn(count, dimension, generator=generator)) * scales, labels


def test_the_probe_is_where_the_gradient_vanishes():
    features, labels = problem()
    probe = fit(features, labels, classes=3, penalty=0.01)
    weight = probe.weight.double().requires_grad_()
    loss = cross_entropy(features.double() @ weight.T + probe.bias, labels) + 0.005 * weight.square().sum()
    (gradient,) = torch.autograd.grad(loss, weight)
    # the tolerance of the fit, 1e-4, is in other coordinates; the largest feature is some 10 times the usual
    assert gradient.abs().max() < 1e-2
    other = cross_entropy(features.double() @ (1.05 * weight.T) + probe.bias, labels)
    assert loss < other + 0.005 * (1.05 * weight).square().sum()


def test_probabilities_sum_to_one_and_match_the_class_frequencies():
    features, labels = problem()
    probe = fit(features, labels, classes=3, penalty=0.01)
    probabilities = probe.probabilities(features)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(200))
    # an unpenalised bias makes mean probabilities equal frequencies
    torch.testing.assert_close(probabilities.mean(0), one_hot(labels).float().mean(0), atol=1e-3, rtol=0)


def test_separable_classes_are_told_apart():
    labels = torch.arange(60) % 3
    features = one_hot(labels).float() + 0.1 * torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    assert accuracy(fit(features, labels, classes=3, penalty=1e-3), features, labels) == 1


def test_a_constant_feature_does_no_harm():
    features, labels = problem()
    features[:, 2] = 0
    probe = fit(features, labels, classes=3, penalty=0.01)
    assert probe.weight.isfinite().all()
    assert accuracy(probe, features, labels) > 0.5
