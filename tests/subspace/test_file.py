import dataclasses

import pytest
import torch

from asymflow.subspace.bases import random_basis
from asymflow.subspace.file import Subspace, load, save
from asymflow.subspace.patches import CHANNEL_FIRST, CHANNEL_LAST, patchify

AGREED = {"patch_size": 2, "order": CHANNEL_LAST, "colour": "rgb"}


OTHER = {CHANNEL_LAST: CHANNEL_FIRST, CHANNEL_FIRST: CHANNEL_LAST}


def example():
    return Subspace(
        random_basis(12, seed=0),
        torch.arange(12.0, dtype=torch.float64),
        "random",
        source="a test",
        patches=7,
        scale=1.5,
        data="a set",
        **AGREED,
    )


def test_a_subspace_survives_its_file(tmp_path):
    save(example(), tmp_path / "a.safetensors")
    loaded = load(tmp_path / "a.safetensors", **AGREED)
    assert torch.equal(loaded.basis, example().basis) and torch.equal(loaded.spectrum, example().spectrum)
    for field in ("name", "patch_size", "order", "colour", "source", "patches", "scale", "data"):
        assert getattr(loaded, field) == getattr(example(), field)


@pytest.mark.parametrize(("field", "other"), [("patch_size", 4), ("order", CHANNEL_FIRST), ("colour", "oklab")])
def test_another_patch_space_is_an_error(tmp_path, field, other):
    save(example(), tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match=f"a.safetensors was fitted with {field}"):
        load(tmp_path / "a.safetensors", **(AGREED | {field: other}))


def test_a_basis_that_went_through_half_precision_is_an_error(tmp_path):
    rounded = dataclasses.replace(example(), basis=example().basis.half().double())
    save(rounded, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="not orthonormal"):
        load(tmp_path / "a.safetensors", **AGREED)


def test_ranks_are_slices_and_too_large_a_rank_is_an_error():
    assert example().columns(0).shape == (12, 0)
    assert torch.equal(example().columns(3), example().basis[:, :3].float())
    with pytest.raises(ValueError, match="rank 13 was asked of a random basis that has only 12"):
        example().columns(13)


@pytest.fixture(params=[CHANNEL_LAST, CHANNEL_FIRST])
def ordered(request):
    """Five columns for patches of 3 x 3 pixels, in either order of their values."""
    basis = random_basis(27, seed=1)[:, :5]
    spectrum = torch.arange(5.0, dtype=torch.float64)
    return Subspace(basis, spectrum, "procrustes", 3, request.param, "oklab", "a test", 7, 1.5)


def test_in_another_order_it_spans_the_same_pixels(ordered):
    images = torch.randn(2, 3, 6, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    turned = ordered.in_order(OTHER[ordered.order])
    own, other = (patchify(images, 3, subspace.order) for subspace in (ordered, turned))
    assert not torch.equal(own, other)
    # a permutation of rows alone; sums are taken in another order
    torch.testing.assert_close(other @ turned.basis, own @ ordered.basis, atol=1e-13, rtol=0)


def test_a_column_is_the_same_picture_in_either_order(ordered):
    pictures = ordered.basis.T.reshape(5, 3, 3, 3)
    if ordered.order == CHANNEL_LAST:
        pictures = pictures.permute(0, 3, 1, 2)
    turned = ordered.in_order(OTHER[ordered.order])
    assert torch.equal(patchify(pictures.contiguous(), 3, turned.order)[:, 0].T, turned.basis)


def test_another_order_changes_nothing_else_and_comes_back(ordered):
    turned = ordered.in_order(OTHER[ordered.order])
    assert turned.order == OTHER[ordered.order]
    assert dataclasses.replace(turned, basis=ordered.basis, order=ordered.order) == ordered
    back = turned.in_order(ordered.order)
    assert torch.equal(back.basis, ordered.basis) and back.order == ordered.order
    assert ordered.in_order(ordered.order) is ordered
