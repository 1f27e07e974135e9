import pytest
import torch

from asymflow.subspace.bases import gram, identity_basis, pca, random_basis

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
    (one, count), (many, _) = gram([x]), gram(x.split(4))
    torch.testing.assert_close(one, many)
    assert count == 45


def test_gram_is_not_centred():
    constant = torch.full((2, 3, D), 2.0)
    columns, values = pca(gram([constant])[0])
    torch.testing.assert_close(columns[:, 0], torch.full((D,), D**-0.5, dtype=torch.float64))
    torch.testing.assert_close(values[0], torch.tensor(6.0 * D * 4, dtype=torch.float64))


def test_pca_finds_a_planted_subspace():
    A = random_basis(D, seed=5)[:, :3]
    x = torch.randn(40, 5, 3, dtype=torch.float64) @ A.T
    columns, values = pca(gram([x])[0])
    torch.testing.assert_close(columns[:, :3] @ columns[:, :3].T, A @ A.T)
    assert values[3:].max() < 1e-9


def test_bases_are_orthonormal():
    for basis in (random_basis(D, seed=1), identity_basis(D), pca(gram([patches()])[0])[0]):
        torch.testing.assert_close(basis.T @ basis, torch.eye(D, dtype=torch.float64))


def test_the_random_basis_is_a_function_of_its_seed():
    assert torch.equal(random_basis(D, seed=1), random_basis(D, seed=1))
    assert not torch.equal(random_basis(D, seed=1), random_basis(D, seed=2))


def test_no_data_is_an_error():
    with pytest.raises(ValueError, match="empty"):
        gram([])
