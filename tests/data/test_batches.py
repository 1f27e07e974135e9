"""Batches of squares with what is stored of them; images of several shapes: test_buckets."""

import multiprocessing
import os
import signal
import subprocess
import sys

import pytest
import torch
from plainly import plainly

from asymflow.config.data import Data
from asymflow.data import batches as module
from asymflow.data import rows
from asymflow.data.batches import Batches
from asymflow.data.reader import ShardReader
from asymflow.data.rows import RowReader
from asymflow.data.shards import write_splits

COUNT = 23


def numbered(numbers):
    """Rows that say whose they are; exact in bfloat16."""
    return {"embedding": torch.tensor(list(numbers), dtype=torch.float32)[:, None].expand(-1, 5).contiguous()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("batches")
    write_splits(Data(image_size=32, train=COUNT, evaluator=1, heldout=1, shard_size=5), folder, processes=1)
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
    assert torch.equal(chosen, plainly(COUNT, 1, 0, 40))
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


def test_workers_outlast_the_wish_to_stop_that_comes_to_their_whole_group(folder, monkeypatch):
    """The training saves and ends; a worker that died before would end it in the middle of that."""
    monkeypatch.setattr(module, "MEMORY_BYTES", 0)
    read = batches(folder, stored=())
    supply = read.starting_at(0, workers=2)
    first = [next(supply), next(supply)]  # of each worker one: both have begun
    workers = multiprocessing.active_children()
    assert len(workers) == 2
    for worker in workers:
        for number in (signal.SIGTERM, signal.SIGUSR1):
            os.kill(worker.pid, number)
    for update, batch in enumerate([*first, *supply]):
        assert torch.equal(batch["images"], read[update]["images"])
    assert update == len(read) - 1
    del supply
    for worker in workers:
        worker.join(10)
    assert not any(worker.is_alive() for worker in workers)


FAILING = """
import sys
from contextlib import closing
from asymflow.data import batches
from asymflow.data.reader import ShardReader
batches.MEMORY_BYTES = 0
supply = batches.Batches(ShardReader(sys.argv[1]), images=23, batch=2, seed=0)
with closing(supply.starting_at(0, workers=2)) as drawn:
    for batch in drawn:
        raise RuntimeError("cuDNN has failed")
"""


def test_workers_end_with_a_training_that_fails(folder):
    """An error that nobody catches is kept by Python, and with it what the training was doing."""
    said = subprocess.run(
        [sys.executable, "-c", FAILING, str(folder / "train.json")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 1 and "cuDNN has failed" in said.stderr


def test_a_set_that_is_larger_than_the_split_is_an_error(folder):
    with pytest.raises(ValueError, match=r"training.set_images is 24, but .*train.json has 23 images; lower it"):
        batches(folder, first=24)


def test_rows_of_another_split_are_an_error_that_says_which(folder):
    rows.write(folder / "few/train.json", [numbered(range(4))], {})
    with pytest.raises(
        ValueError, match=r"has 23 images, but .*few/train.json has 4 rows of few; run the stage again that made it"
    ):
        batches(folder, stored=("images", "few"))


# ----- windows -----


def chosen(folder, **options):
    return torch.cat([batches(folder, stored=(), images=46, **options).chosen(update) for update in range(11)])


def test_in_windows_every_epoch_has_every_image_once_and_windows_follow_one_another(folder):
    """Twenty-three images in shards of five, two shards at a time."""
    first = chosen(folder, window=2)[:COUNT].tolist()
    assert sorted(first) == list(range(COUNT))
    shards = [image // 5 for image in first]
    sizes = {shard: shards.count(shard) for shard in shards}
    bounds = [shards.index(shard) for shard in sizes]
    lasts = {shard: len(shards) - shards[::-1].index(shard) for shard in sizes}
    by_window = sorted(sizes, key=lambda shard: bounds[list(sizes).index(shard)])
    assert max(lasts[shard] for shard in by_window[:2]) <= min(shards.index(shard) for shard in by_window[2:])
    assert shards[:10] != sorted(shards[:10]) and first[:10] != sorted(first[:10])


def test_windows_are_a_function_of_seed_and_position_for_any_number_of_processes(folder):
    whole = chosen(folder, window=2)
    assert torch.equal(whole, chosen(folder, window=2))
    assert not torch.equal(whole, chosen(folder, window=2, seed=2)) and not torch.equal(whole, chosen(folder))
    halves = [
        [
            batches(folder, stored=(), images=46, window=2, rank=rank, world_size=2).chosen(update)
            for update in range(11)
        ]
        for rank in (0, 1)
    ]
    assert torch.equal(whole, torch.cat([torch.cat(pair) for pair in zip(*halves, strict=True)]))


def test_a_window_of_all_shards_mixes_all_images(folder):
    spread = chosen(folder, window=100)[:COUNT]
    assert sorted(spread.tolist()) == list(range(COUNT)) and len({int(i) // 5 for i in spread[:8]}) > 2


def test_images_from_disk_come_the_same_with_the_next_window_read_ahead(folder, monkeypatch):
    monkeypatch.setattr(module, "MEMORY_BYTES", 0)
    expected, asked = batches(folder, stored=(), images=46, window=2), []
    given = batches(folder, stored=(), images=46, window=2)
    monkeypatch.setattr(given.reader, "expect", lambda images: asked.append({i // 5 for i in images}))
    for update in range(11):
        assert torch.equal(given[update]["images"], expected.reader.images(expected.chosen(update).tolist()))
    assert all(1 <= len(shards) <= 2 for shards in asked)
    assert len(asked) == 4, "for two of the three windows of each epoch, the first one comes unasked"
