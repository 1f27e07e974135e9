import pytest
import torch

from asymflow.metrics.kernel import kernel_distance


def features(count, seed, dimension=6, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    return shift + torch.randn(count, dimension, dtype=torch.float64, generator=generator)


def test_kernel_distance_agrees_with_the_definition():
    a, b = features(7, seed=0), features(9, seed=1, shift=0.5)

    def k(x, y):
        return (x @ y / 6 + 1) ** 3

    inner = [sum(k(x, y) for x in s for y in s if x is not y) / (len(s) * (len(s) - 1)) for s in (list(a), list(b))]
    between = sum(k(x, y) for x in a for y in b) / 63
    assert kernel_distance(a, b, blocks=2).value == pytest.approx((sum(inner) - 2 * between).item(), rel=1e-12)


def test_kernel_distance_does_not_depend_on_the_blocks():
    a, b = features(23, seed=0), features(31, seed=1)
    assert kernel_distance(a, b, blocks=2).value == pytest.approx(kernel_distance(a, b, blocks=7).value, abs=1e-12)


def test_kernel_distance_of_equal_distributions_is_zero_on_average():
    pairs = [(features(20, seed=2 * i), features(20, seed=2 * i + 1)) for i in range(400)]
    values = torch.tensor([kernel_distance(a, b, blocks=4).value for a, b in pairs])
    standard_error = values.std() / 20
    assert abs(values.mean()) < 3 * standard_error  # a biased estimate would be off by some 40 standard errors
    assert (values < 0).any()


def test_standard_error_matches_the_spread_of_repeated_estimates():
    pairs = [(features(60, seed=2 * i), features(60, seed=2 * i + 1, shift=0.7)) for i in range(200)]
    estimates = [kernel_distance(a, b, blocks=10) for a, b in pairs]
    spread = torch.tensor([e.value for e in estimates]).std()
    claimed = torch.tensor([e.error for e in estimates]).square().mean().sqrt()
    # 200 repetitions know the spread to 5 %, and the jackknife errs upwards
    assert claimed == pytest.approx(spread, rel=0.25)


def test_the_standard_error_is_the_jackknife_over_blocks_of_both_sets():
    """(B - 1) / B sum_b (d_-b - mean d_-b)^2, each d_-b an estimate of its own from what is left."""
    a, b = features(15, seed=0).split(3), features(20, seed=1, shift=0.4).split(4)
    left = [[torch.cat([part for j, part in enumerate(parts) if j != i]) for parts in (a, b)] for i in range(5)]
    values = torch.tensor([kernel_distance(*rest, blocks=2).value for rest in left], dtype=torch.float64)
    expected = (4 / 5 * (values - values.mean()).square().sum()).sqrt().item()
    assert kernel_distance(torch.cat(a), torch.cat(b), blocks=5).error == pytest.approx(expected, rel=1e-9)


def test_kernel_distance_grows_with_the_shift():
    a = features(200, seed=0)
    values = [kernel_distance(a, features(200, seed=1, shift=shift), blocks=5).value for shift in (0.0, 0.2, 0.5, 1.0)]
    assert values == sorted(values)


def test_too_few_features_are_refused():
    with pytest.raises(ValueError, match="7 and 9 features cannot be cut into 4 blocks"):
        kernel_distance(features(7, seed=0), features(9, seed=1), blocks=4)
