import pytest
import torch
from scipy.linalg import orthogonal_procrustes

from asymflow.subspace.bases import random_basis
from asymflow.subspace.procrustes import gather, procrustes, unexplained

D, LATENT, N = 12, 5, 400


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def lifted(s=2.5, noise=0.0):
    A, z = random_basis(D, seed=3)[:, :LATENT], normal(N, LATENT)
    return A, z, s * z @ A.T + noise * normal(N, D, seed=1)


def in_batches(x, z, size=64):
    return zip(x.split(size), z.split(size), strict=True)


def test_a_true_lift_is_found_exactly_with_its_scale():
    A, z, x = lifted(s=2.5)
    paired = gather(in_batches(x, z))
    fitted, s = procrustes(paired)
    assert torch.allclose(fitted, A, atol=1e-12) and s == pytest.approx(2.5, rel=1e-12)
    assert unexplained(paired, fitted, s) == pytest.approx(0, abs=1e-12)
    assert paired.count == N


def test_with_noise_it_is_scipy_s_solution():
    _, z, x = lifted(noise=0.5)
    fitted, s = procrustes(gather(in_batches(x, z)))
    padded = torch.cat([z, torch.zeros(N, D - LATENT, dtype=z.dtype)], dim=1)  # scipy wants equal dimensions
    rotation, _ = orthogonal_procrustes(padded.numpy(), x.numpy())
    assert torch.allclose(fitted.T, torch.from_numpy(rotation)[:LATENT], atol=1e-10)
    assert s == pytest.approx(((x @ fitted).norm() / z.norm()).item(), rel=1e-12)


def test_no_orthonormal_lift_is_nearer():
    _, z, x = lifted(s=1.0, noise=0.5)
    best = (x - z @ procrustes(gather(in_batches(x, z)))[0].T).square().sum()
    for seed in range(20):
        other = random_basis(D, seed)[:, :LATENT]
        assert (x - z @ other.T).square().sum() > best


def test_the_missed_energy_is_that_of_the_residual():
    _, z, x = lifted(noise=0.5)
    paired = gather(in_batches(x, z))
    A, s = procrustes(paired)
    expected = (x - s * z @ A.T).square().sum() / x.square().sum()
    assert unexplained(paired, A, s) == pytest.approx(expected.item(), rel=1e-10)


def test_batches_make_no_difference():
    _, z, x = lifted(noise=0.5)
    whole, parts = procrustes(gather([(x, z)])), procrustes(gather(in_batches(x, z, size=7)))
    assert torch.allclose(whole[0], parts[0], atol=1e-12) and whole[1] == pytest.approx(parts[1], rel=1e-12)


def test_latents_larger_than_patches_are_an_error():
    with pytest.raises(ValueError, match="a latent token has 12 numbers, but a pixel patch only 5"):
        procrustes(gather([(normal(N, LATENT), normal(N, D))]))


def test_pairs_that_do_not_determine_the_lift_are_an_error():
    _, z, x = lifted()
    z[:, 2] = 0
    with pytest.raises(ValueError, match="determine only 4 of the lift's 5 directions"):
        procrustes(gather([(x, z)]))
    with pytest.raises(ValueError, match="the data set is empty"):
        gather([])
