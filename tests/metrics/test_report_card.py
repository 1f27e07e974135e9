from dataclasses import replace

import pytest
import torch

from asymflow.config.scoring import Scoring
from asymflow.metrics.evaluators import LocalEvaluator
from asymflow.metrics.frechet import Moments, frechet_distance
from asymflow.metrics.inception_score import inception_score
from asymflow.metrics.kernel import kernel_distance
from asymflow.metrics.report_card import report_card
from asymflow.metrics.statistics import Statistics

SETTINGS = Scoring(kernel_blocks=4, splits=2)


def drawn(count, seed, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    features, crops = shift + torch.randn(2, count, 6, generator=generator)
    probabilities = torch.randn(count, 3, generator=generator).softmax(1)
    return Statistics(Moments.of(features), Moments.of(crops), features, probabilities, torch.arange(count))


def card(reference, samples, settings=SETTINGS):
    return report_card(reference, samples, LocalEvaluator.names, settings)


def test_a_card_names_every_metric_and_says_how_many_images_it_rests_on():
    report = card(drawn(90, seed=0), drawn(40, seed=1))
    assert list(report["metrics"]) == list(LocalEvaluator.names)
    assert set(report["errors"]) == {"fid_local", "kid_local", "is_local"}
    assert (report["samples"], report["reference_images"], report["paired_images"]) == (40, 90, 40)
    assert card(drawn(30, seed=0), drawn(40, seed=1))["paired_images"] == 30


def test_the_reference_itself_gets_the_best_numbers():
    reference = drawn(60, seed=0)
    metrics = card(reference, reference)["metrics"]
    assert metrics["fid_local"] == pytest.approx(0, abs=1e-9)
    assert metrics["patch_fid_local"] == pytest.approx(0, abs=1e-9)
    assert metrics["precision_local"] == metrics["recall_local"] == 1
    assert metrics["kid_local"] < 0  # unbiased for independent draws; here both sets are one


def test_each_number_is_the_measure_that_its_name_says():
    """The reference is of two kinds, of which the samples show one; and their crops are off by another amount."""
    reference, samples = drawn(60, seed=0), drawn(60, seed=1)
    reference.features[::2] += 20
    samples.features.mul_(0.5)  # well within one kind
    reference, samples = (
        replace(s, images=Moments.of(s.features), patches=Moments.of(s.features + shift))
        for s, shift in ((reference, 3), (samples, 1))
    )
    report = card(reference, samples)
    metrics, errors = report["metrics"], report["errors"]
    assert metrics["fid_local"] == frechet_distance(reference.images, samples.images)
    assert metrics["patch_fid_local"] == frechet_distance(reference.patches, samples.patches)
    assert metrics["precision_local"] > 0.9 and metrics["recall_local"] < 0.6
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    kernel = kernel_distance(reference.features[order], samples.features[order], blocks=4)
    score = inception_score(samples.probabilities, splits=2, seed=0)
    assert (metrics["kid_local"], errors["kid_local"]) == kernel
    assert (metrics["is_local"], errors["is_local"]) == score


def test_the_error_of_a_frechet_distance_is_its_spread_over_other_samples():
    reference = drawn(4000, seed=0)
    cards = [card(reference, drawn(400, seed=seed, shift=0.3)) for seed in range(1, 31)]
    spread = torch.tensor([c["metrics"]["fid_local"] for c in cards]).std().item()
    errors = torch.tensor([c["errors"]["fid_local"] for c in cards]).mean().item()
    assert errors == pytest.approx(spread, rel=0.35)


def test_worse_samples_get_worse_numbers():
    reference = drawn(60, seed=0)
    near, far = (card(reference, drawn(60, seed=1, shift=shift))["metrics"] for shift in (0.3, 1.0))
    for name in ("fid_local", "kid_local", "patch_fid_local"):
        assert near[name] < far[name]
    for name in ("precision_local", "recall_local"):
        assert near[name] > far[name]


def test_paired_images_are_chosen_by_seed_and_moments_are_not():
    reference, samples = drawn(90, seed=0), drawn(40, seed=1)
    first, second = card(reference, samples), card(reference, samples, Scoring(kernel_blocks=4, splits=2, seed=1))
    assert first == card(reference, samples)
    assert first["metrics"]["kid_local"] != second["metrics"]["kid_local"]
    assert first["metrics"]["fid_local"] == second["metrics"]["fid_local"]


def test_the_smallest_set_is_large_enough_for_every_metric_and_one_less_is_not():
    for settings in (SETTINGS, Scoring(kernel_blocks=2, neighbours=7, splits=1), Scoring(kernel_blocks=2, splits=9)):
        card(drawn(20, seed=0), drawn(settings.smallest, seed=1), settings)
        with pytest.raises(ValueError):
            card(drawn(20, seed=0), drawn(settings.smallest - 1, seed=1), settings)
