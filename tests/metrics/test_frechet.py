import pytest
import scipy.linalg
import torch

from asymflow.metrics.frechet import Moments, frechet_distance


def features(count, dimension, seed, scale=1.0):
    return scale * torch.randn(count, dimension, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def rotation(dimension, seed):
    return torch.linalg.qr(features(dimension, dimension, seed)).Q


def gaussian(mean, covariance):
    """Moments with exactly this mean and covariance."""
    return Moments(count=1000, mean=mean, scatter=999 * covariance)


def by_scipy(a, b):
    root = scipy.linalg.sqrtm((a.covariance @ b.covariance).numpy())
    traces = a.covariance.trace() + b.covariance.trace() - 2 * root.trace().real
    return ((a.mean - b.mean).square().sum() + traces).item()


def test_moments_of_batches_are_those_of_the_whole():
    x = 1e3 + features(101, 7, seed=0)  # far from zero: a raw Gram matrix would lose six digits here
    moments = Moments.empty(7)
    for batch in x.split(13):
        moments = moments.update(batch)
    moments = moments.update(x[:0])
    assert moments.count == 101
    torch.testing.assert_close(moments.mean, x.mean(0), rtol=1e-14, atol=0)
    torch.testing.assert_close(moments.covariance, x.T.cov(), rtol=1e-11, atol=1e-13)


def test_merging_is_symmetric_and_knows_the_empty_set():
    a, b = Moments.of(features(5, 3, seed=0)), Moments.of(features(8, 3, seed=1))
    torch.testing.assert_close(a.merge(b).scatter, b.merge(a).scatter)
    torch.testing.assert_close(Moments.empty(3).merge(a).scatter, a.scatter)
    assert Moments.empty(3).merge(Moments.empty(3)).count == 0


def test_float32_features_are_summed_in_float64():
    x = features(1001, 3, seed=0).float() + 100
    torch.testing.assert_close(Moments.of(x).mean, x.double().mean(0), rtol=1e-15, atol=0)


def test_frechet_of_shifted_gaussians_matches_the_closed_form():
    covariance = features(9, 5, seed=0).T.cov()
    shift = torch.arange(5, dtype=torch.float64)
    distance = frechet_distance(gaussian(torch.zeros(5).double(), covariance), gaussian(shift, covariance))
    assert distance == pytest.approx(30, rel=1e-12)  # |shift|^2 = 0 + 1 + 4 + 9 + 16


def test_frechet_of_commuting_covariances_matches_the_closed_form():
    q, mean = rotation(6, seed=0), torch.zeros(6, dtype=torch.float64)
    v, w = torch.rand(2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    distance = frechet_distance(gaussian(mean, (q * v) @ q.T), gaussian(mean, (q * w) @ q.T))
    assert distance == pytest.approx((v.sqrt() - w.sqrt()).square().sum().item(), rel=1e-12)


def test_frechet_of_singular_covariances_matches_the_closed_form():
    q, mean = rotation(6, seed=0), torch.zeros(6, dtype=torch.float64)
    v = torch.tensor([4.0, 1.0, 0, 0, 0, 0]).double()
    w = torch.tensor([0, 9.0, 1.0, 0, 0, 0]).double()
    distance = frechet_distance(gaussian(mean, (q * v) @ q.T), gaussian(mean, (q * w) @ q.T))
    assert distance == pytest.approx(4 + (3 - 1) ** 2 + 1, rel=1e-12)


@pytest.mark.parametrize("count", [20, 100])  # fewer and more features than dimensions
def test_frechet_of_a_set_to_itself_is_zero(count):
    a = Moments.of(features(count, 30, seed=0))
    assert abs(frechet_distance(a, a)) < 1e-12 * a.covariance.trace()


@pytest.mark.parametrize("decay", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("shared", [True, False])
def test_frechet_agrees_with_the_matrix_square_root(decay, shared):
    # power-law spectra as features have them, on the same axes (hard: the distance is small) and on different ones
    scales = torch.arange(1, 129, dtype=torch.float64) ** (-decay / 2)
    a = Moments.of(features(300, 128, seed=0) * scales @ rotation(128, seed=1))
    b = Moments.of(0.01 + features(700, 128, seed=2) * scales @ rotation(128, seed=1 if shared else 3))
    expected = by_scipy(a, b)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-6)


def test_frechet_is_exact_with_fewer_features_than_dimensions():
    # the thin centred matrices A, B give tr (S_a S_b)^(1/2) as the nuclear norm of A B^T, without any covariance
    x, y = features(11, 40, seed=0), features(25, 40, seed=1)
    A, B = ((z - z.mean(0)) / (len(z) - 1) ** 0.5 for z in (x, y))
    expected = (x.mean(0) - y.mean(0)).square().sum() + A.square().sum() + B.square().sum()
    expected -= 2 * torch.linalg.svdvals(A @ B.T).sum()
    assert frechet_distance(Moments.of(x), Moments.of(y)) == pytest.approx(expected.item(), rel=1e-10)


def test_frechet_does_not_depend_on_rotation():
    x, y, q = features(50, 12, seed=0), features(60, 12, seed=1, scale=2), rotation(12, seed=2)
    turned = frechet_distance(Moments.of(x @ q), Moments.of(y @ q))
    assert turned == pytest.approx(frechet_distance(Moments.of(x), Moments.of(y)), rel=1e-10)


def test_frechet_refuses_what_has_no_covariance_or_other_dimensions():
    a = Moments.of(features(9, 3, seed=0))
    with pytest.raises(ValueError, match="1 features; it takes at least 2"):
        frechet_distance(a, Moments.of(features(1, 3, seed=1)))
    with pytest.raises(ValueError, match="3 and of 4 dimensions"):
        frechet_distance(a, Moments.of(features(9, 4, seed=1)))


def test_frechet_of_a_collapsed_set_is_the_distance_of_means_plus_the_other_variance():
    same, x = Moments.of(features(1, 4, seed=0).expand(10, 4)), Moments.of(features(20, 4, seed=1))
    expected = (same.mean - x.mean).square().sum() + x.covariance.trace()
    assert frechet_distance(same, x) == pytest.approx(expected.item(), rel=1e-12)
    assert frechet_distance(same, same) == pytest.approx(0, abs=1e-12)
