"""What the rest of a picture leaves unexplained, against closed forms of Gaussian pictures."""

import math

import pytest
import torch

from asymflow.subspace import context

GRID, PLACES, D = (3, 4), 12, 5
IMAGES = 4000
STATISTICAL = (
    0.1  # relative: the mean of 12 x 2000 squares has a relative error of about sqrt(2 / 24000) = 0.01; 12 numbers
)
# that are regressed on cost 12 / 2000, and of a single place's 2000 squares the error is 0.03


def gaussian(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def spread(seed=1):
    """Independent coefficients whose variance falls from direction to direction."""
    return gaussian(IMAGES, PLACES, D, seed=seed) * torch.tensor([4.0, 2.0, 1.0, 0.5, 0.25], dtype=torch.float64)


def rows():
    return context.split(IMAGES, seed=0)


def unexplained(coefficients, **options):
    return context.unexplained_by_others(context.centred(coefficients, rows()), rows(), GRID, **options)


def variance(coefficients):
    return context.centred(coefficients, rows())[rows().heldout].square().mean((0, 1))


def test_independent_patches_explain_nothing_of_each_other():
    x = spread()
    torch.testing.assert_close(unexplained(x)[0], variance(x), rtol=STATISTICAL, atol=0)


def test_a_copy_of_its_neighbour_is_explained():
    x = spread()
    x[:, 1::2] = x[:, ::2]  # columns 0 and 1, and 2 and 3, are the same
    assert (unexplained(x)[0] < 1e-3 * variance(x)).all()


def test_of_what_all_patches_share_the_conditional_variance_is_left():
    """y_p = f + e_p with variances 9 and 1: given k others, f has the variance 1 / (1/9 + k), and e_p is left whole.

    At 3 x 4 places the corners have 3 neighbours, the six others of the border 5, the two inner ones 8.
    """
    x = 3 * gaussian(IMAGES, 1, D) + gaussian(IMAGES, PLACES, D, seed=1)
    left = (4 * (1 + 1 / (1 / 9 + 3)) + 6 * (1 + 1 / (1 / 9 + 5)) + 2 * (1 + 1 / (1 / 9 + 8))) / 12
    torch.testing.assert_close(unexplained(x)[0], torch.full((D,), left, dtype=torch.float64), rtol=STATISTICAL, atol=0)


def test_the_mean_counts_as_explained_and_differs_from_place_to_place():
    x = spread()
    shifted = x + 100 * gaussian(1, PLACES, D, seed=7)
    torch.testing.assert_close(variance(shifted), variance(x))
    torch.testing.assert_close(unexplained(shifted)[0], unexplained(x)[0])


def test_more_context_is_never_much_worse_on_images_that_it_was_not_fitted_to():
    x = spread() + gaussian(IMAGES, 1, D, seed=5)
    little, more, most = (
        unexplained(x, reach=reach, leading=leading)[0] for reach, leading in ((1, 1), (1, D), (3, D))
    )
    assert (more < 1.02 * little).all() and (most < 1.02 * more).all()
    assert most[-1] < 0.6 * little[-1]  # the last direction shares nothing with the first


def test_weights_never_see_the_images_that_measure():
    """As many numbers as images: on the fitting half a regression of noise on noise leaves next to nothing."""
    x, few = gaussian(80, PLACES, D), context.split(80, seed=0)
    at = context.centred(x, few)
    left, strength = context.unexplained_by_others(at, few, GRID)
    assert (left > 0.9 * at[few.heldout].square().mean((0, 1))).all()
    assert (strength >= 0.1).all()  # noise wants the strongest ridge


@pytest.mark.parametrize("between", [0.0, 3.0])
def test_the_class_leaves_the_variance_within_classes(between):
    labels = torch.arange(IMAGES) % 10
    x = spread() + between * gaussian(10, PLACES, D, seed=3)[labels]
    at = context.centred(x, rows())
    left, _ = context.unexplained_by_class(at, labels, rows(), range(PLACES))
    torch.testing.assert_close(left, variance(spread()), rtol=0.02, atol=0)
    single, _ = context.unexplained_by_class(at, torch.zeros_like(labels), rows(), range(PLACES))
    torch.testing.assert_close(single, variance(x), rtol=1e-4, atol=0)  # nothing is known


def test_classes_of_few_images_are_held_back_by_the_ridge():
    """400 classes that mean nothing: the means of five images each would add a fifth to the variance."""
    labels, x = torch.arange(IMAGES) % 400, spread()
    left, count = context.unexplained_by_class(context.centred(x, rows()), labels, rows(), range(PLACES))
    assert (left < 1.01 * variance(x)).all() and (count == context.COUNTS[-1]).all()


def test_class_and_patches_explain_together_what_neither_does():
    """y_p = class effect + f + e_p: the class leaves f + e, the others most of the two together."""
    labels = torch.arange(IMAGES) % 10
    effect = torch.where(torch.arange(PLACES) == 5, 3.0, 0.0)[None, :, None] * gaussian(10, 1, D, seed=3)
    x = effect[labels] + 3 * gaussian(IMAGES, 1, D) + gaussian(IMAGES, PLACES, D, seed=1)
    at = context.centred(x, rows())
    plain = unexplained(3 * gaussian(IMAGES, 1, D) + gaussian(IMAGES, PLACES, D, seed=1))[0]
    both, _ = context.unexplained_by_both(at, labels, rows(), GRID)
    torch.testing.assert_close(both, plain, rtol=0.02, atol=0)
    assert (both < 0.8 * unexplained(x)[0]).any()
    assert (both < context.unexplained_by_class(at, labels, rows(), range(PLACES))[0]).all()


def test_a_patch_alone_that_is_seen_with_noise_has_wiener_s_error():
    x, noise = spread(), [16.0, 0.25]
    left = context.unexplained_by_noisy(context.centred(x, rows()), rows(), GRID, noise)
    for error, level in zip(left, noise, strict=True):
        torch.testing.assert_close(error, context.wiener(variance(x), level), rtol=STATISTICAL, atol=0)


def test_noisy_neighbours_leave_the_posterior_variance():
    """Of y_p = f + e_p, seen with noise s at all places, from the joint covariance of the place and its k neighbours."""
    x, noise = 3 * gaussian(IMAGES, 1, D) + gaussian(IMAGES, PLACES, D, seed=1), 4.0
    expected = 0.0
    for place in range(PLACES):
        k = len(context.neighbours(place, GRID))
        covariance = 9 * torch.ones(k + 1, k + 1, dtype=torch.float64) + torch.eye(k + 1, dtype=torch.float64)
        seen = covariance + noise * torch.eye(k + 1, dtype=torch.float64)
        expected += (covariance - covariance @ torch.linalg.solve(seen, covariance))[0, 0].item() / PLACES
    (left,) = context.unexplained_by_noisy(context.centred(x, rows()), rows(), GRID, [noise])
    torch.testing.assert_close(left, torch.full((D,), expected, dtype=torch.float64), rtol=STATISTICAL, atol=0)


def test_the_ridge_acts_like_noise_on_what_is_regressed_on():
    x, y = gaussian(IMAGES, 3), gaussian(IMAGES, D, seed=1) + gaussian(IMAGES, 1)
    seen = x + 0.5 * gaussian(IMAGES, 3, seed=2)
    noisy, penalised = context.ridge(context.moments(y, seen), 1e-9), context.ridge(context.moments(y, x), 0.25)
    torch.testing.assert_close(noisy, penalised, atol=0.05, rtol=0)
    exact = context.noisy_error(penalised, context.moments(y, x), 0.25)
    torch.testing.assert_close(exact, (y - seen @ penalised).square().mean(0), rtol=0.02, atol=0)


def test_a_regression_s_error_is_the_mean_square_of_its_residual():
    x, y = gaussian(30, 4), gaussian(30, D, seed=1)
    weights = gaussian(4, D, seed=2)
    torch.testing.assert_close(context.error(weights, context.moments(y, x)), (y - x @ weights).square().mean(0))


def test_neighbours_are_clipped_at_the_border():
    assert context.neighbours(0, GRID) == [1, 4, 5]
    assert context.neighbours(5, GRID) == [0, 1, 2, 4, 6, 8, 9, 10]
    assert context.neighbours(11, GRID) == [6, 7, 10]
    assert len(context.neighbours(5, GRID, reach=3)) == PLACES - 1


def test_small_grids_are_regressed_whole_and_large_ones_at_evenly_spread_places():
    assert context.places((4, 4)) == list(range(16)) and len(context.places((8, 8))) == 64
    assert context.places((16, 16)) == [16 * row + column for row in range(1, 16, 2) for column in range(1, 16, 2)]
    assert context.places((1, 1)) == [0] and len(context.places((64, 64))) == 64


def test_halves_share_no_image_and_mirrored_copies_stay_with_their_image():
    parts = context.split(50, seed=3)
    assert [len(part) for part in parts] == [20, 5, 25] and sorted(torch.cat(parts).tolist()) == list(range(50))
    doubled = context.split(50, seed=3, mirrored=True)
    for part, twice in zip(parts, doubled, strict=True):
        assert sorted(twice.tolist()) == sorted([*part.tolist(), *(part + 50).tolist()])


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match=r"9 images cannot be halved .* expected 10 or more"):
        context.split(9, seed=0)


def test_a_picture_of_a_single_patch_has_no_context():
    x, all_rows = gaussian(100, 1, D), context.split(100, seed=0)
    at = context.centred(x, all_rows)
    left, _ = context.unexplained_by_others(at, all_rows, (1, 1))
    torch.testing.assert_close(left, at[all_rows.heldout].square().mean((0, 1)))


def test_the_variance_of_noise_on_the_data():
    assert math.isclose(context.noise_variance(0.8), 16) and context.noise_variance(0.5) == 1
