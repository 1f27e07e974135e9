import numpy as np
import pytest
import torch
from PIL import Image

from asymflow import anatomy
from asymflow.config.data import Data
from asymflow.data.reader import ShardReader
from asymflow.data.shards import write_splits
from asymflow.flow.path import velocity
from asymflow.subspace.bases import random_basis

D = 12  # 2 x 2 x 3
T = torch.tensor([0.3], dtype=torch.float64)
CLOSE = {"atol": 1e-12, "rtol": 0}  # float64 round-off, divided by t


@pytest.fixture
def tokens():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, 9, D, dtype=torch.float64, generator=generator) for _ in range(2)]


@pytest.fixture
def basis():
    return random_basis(D, seed=0)


@pytest.mark.parametrize("rank", [0, 3, D])
def test_the_velocity_is_the_sum_of_its_parts_and_the_same_at_every_rank(tokens, basis, rank):
    parts = anatomy.recovery(*tokens, T, basis[:, :rank])
    torch.testing.assert_close(parts["inside"] + parts["outside"], velocity(*tokens), **CLOSE)
    torch.testing.assert_close(parts["velocity"], velocity(*tokens), **CLOSE)


@pytest.mark.parametrize("rank", [0, 3, D])
def test_the_target_is_the_difference_of_its_components(tokens, basis, rank):
    parts = anatomy.components(*tokens, basis[:, :rank])
    torch.testing.assert_close(parts["velocity"] - parts["image"], parts["target"], **CLOSE)
    assert (parts["velocity"] * parts["image"]).sum(dim=2).abs().max() < 1e-12


def test_the_ends_of_the_family_are_the_image_and_the_velocity(tokens, basis):
    x_0, eps = tokens
    data, full = (anatomy.recovery(x_0, eps, T, basis[:, :rank]) for rank in (0, D))
    assert torch.equal(data["target"], -x_0) and not data["noise"].any() and not data["inside"].any()
    torch.testing.assert_close(full["target"], velocity(x_0, eps), **CLOSE)
    assert not full["outside"].any()


def test_a_picture_is_the_image_that_the_tokens_were_cut_from(tmp_path):
    """And the example is always the same."""
    for i in range(3):
        pixels = np.random.default_rng(i).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        (tmp_path / "images" / f"class{i}").mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / "images" / f"class{i}" / "0.png")
    data = Data(source="folder", path=str(tmp_path / "images"), image_size=6, train=1, evaluator=1, heldout=1)
    write_splits(data, tmp_path / "data", processes=1)
    reader = ShardReader(tmp_path / "data" / "heldout.json")
    x_0, eps = anatomy.example(reader, 2)
    image = reader.images([0])[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(anatomy.picture(x_0, 2), image / 127.5 - 1, atol=1e-6)  # float32
    assert eps.shape == x_0.shape and torch.equal(eps, anatomy.example(reader, 2)[1])
