"""The order of training images, and batches of squares with what is stored of them; images of several shapes: test_buckets."""

import pytest
import torch

from asymflow.config.data import Data
from asymflow.data import batches as module
from asymflow.data import rows
from asymflow.data.batches import Batches, indices, order
from asymflow.data.reader import ShardReader
from asymflow.data.rows import RowReader
from asymflow.data.shards import write_splits

COUNT = 23


def test_an_epoch_is_a_permutation_and_a_function_of_seed_and_epoch():
    assert sorted(order(50, 3, 0).tolist()) == list(range(50))
    assert torch.equal(order(50, 3, 0), order(50, 3, 0))
    assert not torch.equal(order(50, 3, 0), order(50, 3, 1))
    assert not torch.equal(order(50, 3, 0), order(50, 4, 0)), "the seed must matter too"


def test_positions_run_through_epochs_without_a_gap():
    sequence = torch.cat([order(7, 0, epoch) for epoch in range(4)])
    for start, stop in ((0, 7), (3, 5), (5, 9), (6, 22), (14, 15)):
        assert torch.equal(indices(7, 0, start, stop), sequence[start:stop])


# ----- batches -----


def numbered(numbers):
    """Rows that say whose they are; exact in bfloat16."""
    return {"embedding": torch.tensor(list(numbers), dtype=torch.float32)[:, None].expand(-1, 5).contiguous()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("batches")
    write_splits(Data(image_size=32, train=COUNT, evaluator=1, heldout=1), folder, processes=1)
    rows.write(folder / "images/train.json", [numbered(range(10)), numbered(range(10, COUNT))], {})
    captions = {"text": -numbered(range(COUNT))["embedding"][:, None], "mask": torch.ones(COUNT, 1, dtype=torch.bool)}
    rows.write(folder / "captions/train.json", [captions], {})
    return folder


def batches(folder, stored=("images", "captions"), **changes):
    readers = {name: RowReader(folder / name / "train.json") for name in stored}
    options = {"images": 40, "batch": 4, "seed": 1, "stored": readers} | changes
    return Batches(ShardReader(folder / "train.json"), **options)


def test_a_batch_has_each_image_with_its_own_rows_by_name(folder):
    given = batches(folder)
    assert len(given) == 10
    batch, chosen = given[2], given.chosen(2)
    assert chosen.tolist() != sorted(chosen.tolist()), "else order would not matter"
    assert batch.keys() == {"images", "embedding", "text", "mask"}
    assert torch.equal(batch["images"], given.reader.images(chosen.tolist()))
    assert torch.equal(batch["embedding"][:, 4], chosen.float())
    assert torch.equal(batch["text"][:, 0, 0], -chosen.float()) and batch["mask"].all()


def test_a_batch_has_classes_where_they_are_wanted_and_nothing_unasked(folder):
    plain, labelled = batches(folder, stored=()), batches(folder, stored=(), labelled=True)
    assert plain[2].keys() == {"images"} and labelled[2].keys() == {"images", "label"}
    assert torch.equal(labelled[2]["images"], plain[2]["images"])
    assert torch.equal(labelled[2]["label"], plain.reader.labels[plain.chosen(2)])


def test_images_come_in_the_plain_order_of_their_seed(folder):
    chosen = torch.cat([batches(folder).chosen(update) for update in range(10)])
    assert torch.equal(chosen, indices(COUNT, 1, 0, 40))
    assert not torch.equal(chosen, torch.cat([batches(folder, seed=2).chosen(update) for update in range(10)]))


def test_a_smaller_set_is_the_first_images_seen_again_and_again(folder):
    given = batches(folder, first=5)
    seen = torch.cat([given[update]["embedding"][:, 0].long() for update in range(10)])
    assert sorted(seen[:5].tolist()) == sorted(seen[5:10].tolist()) == [0, 1, 2, 3, 4]
    assert seen.bincount().tolist() == [8] * 5
    assert torch.equal(given[1]["images"], given.reader.images(seen[4:8].tolist()))
    assert torch.equal(batches(folder, first=COUNT).chosen(3), batches(folder).chosen(3))


def test_processes_together_see_what_one_would(folder):
    whole, shares = batches(folder)[2], [batches(folder, rank=rank, world_size=2)[2] for rank in (0, 1)]
    for name, values in whole.items():
        assert torch.equal(torch.cat([share[name] for share in shares]), values), name


def test_a_batch_that_processes_cannot_share_equally_is_an_error(folder):
    with pytest.raises(ValueError, match="a batch of 4 images cannot be shared equally by 3 processes"):
        batches(folder, world_size=3)


def test_what_does_not_fit_into_memory_is_the_same_and_resumes_where_it_stopped(folder, monkeypatch):
    """Read by a worker process, from the third update on."""
    kept = batches(folder, labelled=True)
    monkeypatch.setattr(module, "MEMORY_BYTES", 0)
    monkeypatch.setattr(rows, "MEMORY_BYTES", 0)
    read = batches(folder, labelled=True)
    assert kept.memory is not None and read.memory is None
    resumed = list(read.starting_at(3, workers=1))
    assert len(resumed) == 7
    for one, other in zip(kept.starting_at(3, workers=1), resumed, strict=True):
        assert one.keys() == other.keys() == {"images", "label", "embedding", "text", "mask"}
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_set_that_is_larger_than_the_split_is_an_error(folder):
    with pytest.raises(ValueError, match=r"training.set_images is 24, but .*train.json has 23 images; lower it"):
        batches(folder, first=24)


def test_rows_of_another_split_are_an_error_that_says_which(folder):
    rows.write(folder / "few/train.json", [numbered(range(4))], {})
    with pytest.raises(
        ValueError, match=r"has 23 images, but .*few/train.json has 4 rows of few; run the stage again that made it"
    ):
        batches(folder, stored=("images", "few"))
