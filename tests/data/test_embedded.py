"""Embeddings on disk: any image's by its number, and training batches with them."""

import pytest
import torch

from asymflow.config.data import Data
from asymflow.data import embedded
from asymflow.data.embedded import Embedded, EmbeddedBatches, EmbeddedReader
from asymflow.data.reader import ShardReader
from asymflow.data.shards import write_splits

COUNT = 23


def values(numbers):
    """Embeddings that say whose they are; exact in bfloat16."""
    n = torch.tensor(numbers, dtype=torch.float32)
    return Embedded(
        n[:, None, None].expand(-1, 3, 4).contiguous(), (n[:, None] > torch.arange(3)), n[:, None].expand(-1, 5).contiguous(),
        n[:, None, None].expand(-1, 4, 6).contiguous(), n[:, None].expand(-1, 4).contiguous(),
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("embedded")
    write_splits(Data(image_size=32, train=COUNT, evaluator=1, heldout=1), folder, processes=1)
    parts = (values(range(start, min(start + 10, COUNT))) for start in range(0, COUNT, 10))
    embedded.write(folder / "e/train.json", parts, {})
    return folder


@pytest.mark.parametrize("kept", [True, False])
def test_any_image_s_embeddings_come_in_the_order_asked_for(folder, monkeypatch, kept):
    monkeypatch.setattr(embedded, "MEMORY_BYTES", 1 << 30 if kept else 0)
    reader = EmbeddedReader(folder / "e/train.json")
    assert (reader.memory is not None) == kept
    assert len(reader) == COUNT and (reader.text, reader.text_tokens, reader.cls, reader.patches) == (4, 3, 5, 6)
    found, expected = reader.read([20, 3, 9, 10]), values([20, 3, 9, 10])
    for one, other in zip(found.values(), expected.values(), strict=True):
        assert torch.equal(one, other)


def batches(folder, set_images=None, **changes):
    options = {"images": 40, "batch": 4, "seed": 1, "rank": 0, "world_size": 1} | changes
    return EmbeddedBatches(
        ShardReader(folder / "train.json"), EmbeddedReader(folder / "e/train.json"), set_images, **options
    )


def test_a_batch_has_each_image_with_its_own_embeddings_and_says_what_came_before(folder):
    given = batches(folder)
    images, text, *_, seen = given[3]
    chosen = given.chosen(3)
    assert torch.equal(images, given.reader.images(chosen.tolist()))
    assert torch.equal(text[:, 0, 0], chosen.float()) and seen == 12


def test_a_smaller_set_is_the_first_images_seen_again_and_again(folder):
    given = batches(folder, set_images=5)
    seen = torch.cat([given.chosen(update) for update in range(10)])
    assert sorted(seen[:5].tolist()) == sorted(seen[5:10].tolist()) == [0, 1, 2, 3, 4]
    assert seen.bincount().tolist() == [8] * 5


def test_processes_together_see_what_one_would(folder):
    shares = [batches(folder, rank=rank, world_size=2).chosen(2) for rank in (0, 1)]
    assert torch.equal(torch.cat(shares), batches(folder).chosen(2))


def test_a_set_that_is_larger_than_the_split_is_an_error(folder):
    with pytest.raises(ValueError, match=r"training.set_images is 24, but .*train.json has 23 images; lower it"):
        batches(folder, set_images=24)


def test_embeddings_of_another_split_are_an_error(folder):
    embedded.write(folder / "few/train.json", iter([values(range(4))]), {})
    with pytest.raises(ValueError, match="has 23 images, but 4 of them are embedded; run stage embed again"):
        EmbeddedBatches(
            ShardReader(folder / "train.json"), EmbeddedReader(folder / "few/train.json"), None,
            images=8, batch=4, seed=0, rank=0, world_size=1,
        )  # fmt: skip
