import dataclasses

import pytest
import torch

from asymflow.subspace.bases import random_basis
from asymflow.subspace.file import Subspace, load, save
from asymflow.subspace.patches import CHANNEL_FIRST, CHANNEL_LAST

AGREED = {"patch_size": 2, "order": CHANNEL_LAST, "colour": "rgb"}


def example():
    return Subspace(
        random_basis(12, seed=0),
        torch.arange(12.0, dtype=torch.float64),
        "random",
        source="a test",
        patches=7,
        scale=1.5,
        **AGREED,
    )


def test_a_subspace_survives_its_file(tmp_path):
    save(example(), tmp_path / "a.safetensors")
    loaded = load(tmp_path / "a.safetensors", **AGREED)
    assert torch.equal(loaded.basis, example().basis) and torch.equal(loaded.spectrum, example().spectrum)
    for field in ("kind", "patch_size", "order", "colour", "source", "patches", "scale"):
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
