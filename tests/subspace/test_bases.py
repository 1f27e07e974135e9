from itertools import product

import numpy as np
import pytest
import torch
from scipy.fft import dctn

from asymflow.subspace.bases import centred, dct_basis, gram, identity_basis, pca, random_basis

D = 12


def patches(seed=0, images=9):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(D, D, dtype=torch.float64, generator=generator)
    return torch.randn(images, 5, D, dtype=torch.float64, generator=generator) @ mixing + 0.5


def test_pca_agrees_with_the_singular_vectors_of_the_stacked_patches():
    x = patches()
    u, s, _ = torch.linalg.svd(x.flatten(0, 1).T, full_matrices=False)
    columns, values = pca(gram(x.split(2))[0])
    torch.testing.assert_close(values, s**2)
    torch.testing.assert_close((columns * u).sum(0).abs(), torch.ones(D, dtype=torch.float64))  # the sign is free


def test_every_rank_of_pca_leaves_out_the_discarded_eigenvalues():
    x = patches()
    columns, values = pca(gram([x])[0])
    for rank in (0, 1, 5, D):
        A = columns[:, :rank]
        residual = (x - x @ A @ A.T).square().sum()
        torch.testing.assert_close(residual, values[rank:].sum(), atol=1e-8, rtol=1e-10)
    assert columns[:, :0].shape == (D, 0)  # and not all columns


def test_gram_does_not_depend_on_how_the_data_is_batched_and_counts_patches():
    x = patches()
    (one, total, count), (many, again, _) = gram([x]), gram(x.split(4))
    torch.testing.assert_close(one, many)
    torch.testing.assert_close(total, again)
    torch.testing.assert_close(total, x.sum((0, 1)))
    assert count == 45


def test_gram_is_not_centred():
    constant = torch.full((2, 3, D), 2.0)
    columns, values = pca(gram([constant])[0])
    torch.testing.assert_close(columns[:, 0], torch.full((D,), D**-0.5, dtype=torch.float64))
    torch.testing.assert_close(values[0], torch.tensor(6.0 * D * 4, dtype=torch.float64))


def test_centred_pca_agrees_with_the_singular_vectors_of_patches_less_their_mean():
    x = patches()
    flat = x.flatten(0, 1)
    u, s, _ = torch.linalg.svd((flat - flat.mean(0)).T, full_matrices=False)
    columns, values = pca(centred(*gram(x.split(2))))
    torch.testing.assert_close(values, s**2)
    torch.testing.assert_close((columns * u).sum(0).abs(), torch.ones(D, dtype=torch.float64))


def test_centring_loses_a_bright_mean_that_varies_in_another_direction():
    """Every patch is 3 e_0 plus noise along e_1: the energy lies along e_0, the variance along e_1."""
    x = torch.zeros(50, 4, D, dtype=torch.float64)
    x[..., 0] = 3
    x[..., 1] = torch.randn(50, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    axes = torch.eye(D, dtype=torch.float64)
    moments = gram([x])
    first, first_centred = pca(moments[0])[0][:, 0], pca(centred(*moments))[0][:, 0]
    assert first @ axes[0] > 0.99
    torch.testing.assert_close(first_centred, axes[1])
    assert (x @ first_centred).square().mean() < 0.2 * (x @ first).square().mean()


def test_pca_finds_a_planted_subspace():
    A = random_basis(D, seed=5)[:, :3]
    x = torch.randn(40, 5, 3, dtype=torch.float64) @ A.T
    columns, values = pca(gram([x])[0])
    torch.testing.assert_close(columns[:, :3] @ columns[:, :3].T, A @ A.T)
    assert values[3:].max() < 1e-9


def test_bases_are_orthonormal():
    moments = gram([patches()])
    fitted = pca(moments[0])[0], pca(centred(*moments))[0]
    for basis in (random_basis(D, seed=1), identity_basis(D), *fitted, *map(dct_basis, (1, 2, 3, 8))):
        assert basis.dtype == torch.float64 and basis.shape[0] == basis.shape[1]
        torch.testing.assert_close(basis.T @ basis, torch.eye(len(basis), dtype=torch.float64))


@pytest.mark.parametrize("patch_size", [1, 2, 5, 8])
def test_the_cosine_basis_gives_scipy_s_transform_of_a_patch(patch_size):
    patch = np.random.default_rng(0).standard_normal((patch_size, patch_size, 3))
    coefficients = dctn(patch, type=2, norm="ortho")
    indices = product(range(patch_size), range(patch_size), range(3))
    ascending = sorted(indices, key=lambda k: (k[0] ** 2 + k[1] ** 2 + k[2] ** 2, sum(k), k))
    expected = torch.tensor([coefficients[k] for k in ascending], dtype=torch.float64)
    torch.testing.assert_close(dct_basis(patch_size).T @ torch.from_numpy(patch.flatten()), expected)


def test_the_cosine_basis_starts_with_brightness_and_rank_8_is_the_lowest_frequencies():
    basis = dct_basis(4)
    torch.testing.assert_close(basis[:, 0], torch.full((48,), 48**-0.5, dtype=torch.float64))
    red_blue = torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64) / 32**0.5
    torch.testing.assert_close(basis[:, 1].reshape(4, 4, 3), red_blue.expand(4, 4, 3))
    half_wave = torch.cos(torch.pi * (2 * torch.arange(4, dtype=torch.float64) + 1) / 8)
    colour = torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64)  # a mixture of brightness and red against blue
    patch = torch.einsum("i,j,k->ijk", 1 + 2 * half_wave, 3 - half_wave, colour).flatten()
    torch.testing.assert_close(basis[:, :8] @ (basis[:, :8].T @ patch), patch)
    assert (basis[:, :7] @ (basis[:, :7].T @ patch) - patch).abs().max() > 0.01


def test_the_random_basis_is_a_function_of_its_seed():
    assert torch.equal(random_basis(D, seed=1), random_basis(D, seed=1))
    assert not torch.equal(random_basis(D, seed=1), random_basis(D, seed=2))


def test_no_data_is_an_error():
    with pytest.raises(ValueError, match="empty"):
        gram([])
