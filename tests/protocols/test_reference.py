"""Files of published statistics are read, and those that are none are refused."""

import numpy as np
import pytest
import torch

from asymflow.protocols import reference


def arrays(d=4, count=6, **more):
    return {
        "mu": np.arange(d, dtype=np.float32),
        "sigma": np.eye(d),
        "arr_0": np.zeros((count, 8, 8, 3), np.uint8),
    } | more


def test_adm_s_files_with_images_and_jit_s_without_are_read(tmp_path):
    np.savez(tmp_path / "adm.npz", **arrays(mu_s=np.zeros(7), sigma_s=np.eye(7)))
    adm = reference.load(tmp_path / "adm.npz")
    assert adm.images.shape == (6, 8, 8, 3) and adm.moments().covariance.equal(torch.eye(4, dtype=torch.float64))
    np.savez_compressed(tmp_path / "jit.npz", mu=np.zeros(4), sigma=np.eye(4))
    assert reference.load(tmp_path / "jit.npz").images is None


def test_what_is_gathered_here_is_read_like_theirs_and_has_the_same_bytes_again(tmp_path):
    features = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    for name in ("one.npz", "two.npz"):
        reference.save(
            tmp_path / name, reference.statistics(features) | reference.statistics(2 * features, reference.PATCHES)
        )
    read = reference.load(tmp_path / "one.npz")
    np.testing.assert_allclose(read.sigma, np.cov(features.double().numpy(), rowvar=False), rtol=1e-12)
    np.testing.assert_allclose(read.patches[0], 2 * read.mu, rtol=1e-6)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"sigma": np.eye(3)}, r"sigma of shape \(3, 3\)"),
        ({"arr_0": np.zeros((6, 8, 8, 3))}, "expected uint8 images"),
        ({"mu": np.array([{}], dtype=object)}, "no whole .npz of arrays"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path, changes, said):
    np.savez(tmp_path / "r.npz", **arrays() | changes)
    with pytest.raises(ValueError, match=said) as error:
        reference.load(tmp_path / "r.npz")
    assert "r.npz" in str(error.value)


def test_a_cut_file_and_one_without_statistics_are_refused(tmp_path):
    np.savez(tmp_path / "r.npz", **arrays())
    whole = (tmp_path / "r.npz").read_bytes()
    for kept in (0, 10, len(whole) // 2):
        (tmp_path / "r.npz").write_bytes(whole[:kept])
        with pytest.raises(ValueError, match=r"no whole \.npz"):
            reference.load(tmp_path / "r.npz")
    np.savez(tmp_path / "r.npz", arr_0=np.zeros(3))
    with pytest.raises(ValueError, match="has no 'mu'; it has arr_0"):
        reference.load(tmp_path / "r.npz")
