"""Images of several shapes: which shape an image takes, its shards, and the batches that training draws from them."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import contents, noise
from PIL import Image
from plainly import plainly

from asymflow.config.data import Data
from asymflow.data import batches as module
from asymflow.data import rows
from asymflow.data.batches import Batches
from asymflow.data.images import ImageError, crop, nearest, png_shape, to_png
from asymflow.data.order import turn
from asymflow.data.reader import Bucket, ShardReader, parts
from asymflow.data.rows import RowReader
from asymflow.data.shards import write_splits

SQUARE, WIDE, TALL = (8, 8), (6, 12), (12, 6)
SIZES = [(8, 8), (9, 9), (16, 17), (24, 12), (25, 8), (12, 24), (13, 8), (12, 6), (7, 7)]  # width, height
BATCH = 4


# ----- one image -----


@pytest.mark.parametrize(
    "width, height, shape",
    [(50, 50, (64, 64)), (400, 100, (32, 128)), (100, 400, (128, 32)), (199, 100, (64, 64)), (201, 100, (32, 128)),
     (100, 199, (64, 64)), (100, 201, (128, 32)), (200, 100, (64, 64)), (900, 100, (32, 128))],
)  # fmt: skip
def test_an_image_takes_the_shape_whose_aspect_ratio_is_nearest_in_logarithms(width, height, shape):
    """Between 1 and 4 the border is at 2, where the arithmetic one would be at 2.5."""
    assert nearest(Image.new("L", (width, height)), ((64, 64), (32, 128), (128, 32))) == shape


def square_crop(image: Image.Image, size: int) -> Image.Image:
    """The crop as it was when all images were squares."""
    if image.size == (size, size):
        return image
    while min(image.size) >= 2 * size:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    scale = size / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return image.crop((left, top, left + size, top + size))


def test_squares_are_cropped_as_ever_to_the_byte():
    sizes = np.random.default_rng(0).integers(13, 90, (60, 2)).tolist()
    for width, height in [*sizes, [13, 13], [26, 26], [13, 27], [52, 104]]:
        image = noise(width, height)
        assert to_png(crop(image, (13, 13)), 0) == to_png(square_crop(image, 13), 0), (width, height)


def test_what_sticks_out_on_one_side_is_cut_off_evenly_and_nothing_is_resampled():
    assert np.array_equal(crop(noise(20, 6), (6, 12)), np.asarray(noise(20, 6))[:, 4:16])
    assert np.array_equal(crop(noise(12, 9), (6, 12)), np.asarray(noise(12, 9))[1:7])
    assert np.array_equal(crop(noise(12, 6), (6, 12)), np.asarray(noise(12, 6)))


@pytest.mark.parametrize("times", [2, 4])
def test_an_image_enlarged_by_repetition_comes_back(times):
    values = np.asarray(noise(12, 6))
    enlarged = Image.fromarray(values.repeat(times, 0).repeat(times, 1))
    assert np.array_equal(crop(enlarged, (6, 12)), values)


@pytest.mark.parametrize("width, height", [(11, 90), (90, 5)])
def test_an_image_with_a_side_smaller_than_the_shape_s_is_refused(width, height):
    with pytest.raises(ImageError, match=rf"has {width} x {height} pixels, fewer than 12 x 6 \(data.shapes\)"):
        crop(noise(width, height), (6, 12))


@pytest.mark.parametrize("compression", [0, 6])
def test_a_png_file_tells_its_shape(compression):
    assert png_shape(to_png(noise(7, 5), compression)) == (5, 7)


# ----- shards -----


def photos(root: Path, sizes: list[tuple[int, int]]) -> Path:
    """A folder of two classes, one noisy image of each size."""
    for i, (width, height) in enumerate(sizes):
        (root / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        noise(width, height, seed=i).save(root / "ab"[i % 2] / f"{i}.png")
    return root


def test_without_shapes_every_byte_is_what_it_was_before_there_were_any(tmp_path):
    fields = {"train": None, "evaluator": 3, "heldout": 2, "shard_size": 3, "rejects_tolerated": 0.1}
    root = photos(tmp_path / "photos", [(8, 8)] * 13 + [(8, 7)])
    write_splits(Data(source="folder", path=str(root), image_size=8, **fields), tmp_path / "out", 1)
    digest = hashlib.sha256()
    for name, content in sorted(contents(tmp_path / "out").items()):
        if name.endswith(".tar"):
            digest.update(name.encode() + content)
    assert digest.hexdigest() == "13b3d135ab67ad7694b399a7b4a49574102f8365e4f01da562af6e592eedbe4e"


def data(root: Path) -> Data:
    fields = {"train": None, "evaluator": 4, "heldout": 4, "shard_size": 5, "rejects_tolerated": 0.2}
    return Data(source="folder", path=str(root), image_size=8, shapes=(WIDE, TALL), **fields)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Images of all sizes: their folder, and the folder of the shards."""
    root, out = photos(tmp_path_factory.mktemp("photos"), SIZES * 7), tmp_path_factory.mktemp("out")
    write_splits(data(root), out, 1)
    return root, out


@pytest.fixture(scope="module")
def reader(written):
    return ShardReader(written[1] / "train.json")


def test_training_images_have_the_nearest_shape_and_are_numbered_shape_by_shape(written, reader):
    root, _ = written
    assert [bucket.shape for bucket in reader.buckets] == [SQUARE, WIDE, TALL]
    assert [i for bucket in reader.buckets for i in bucket.numbers] == list(range(len(reader)))
    for numbers, shape in reader.buckets:
        for i in numbers:
            image = Image.open(root / reader.record(i)["source"])
            assert nearest(image, (SQUARE, WIDE, TALL)) == shape
            assert np.array_equal(reader.whole([i])[0].permute(1, 2, 0), crop(image, shape))


def test_a_shard_holds_images_of_one_shape_and_the_table_says_which(written, reader):
    index, places = json.loads((written[1] / "train.json").read_text()), np.load(written[1] / "train.samples.npy")
    each = [
        {(int(p["height"]), int(p["width"])) for p in places[places["shard"] == i]} for i in range(len(index["shards"]))
    ]
    shapes = [shape for (shape,) in each]
    assert shapes == sorted(shapes, key=[SQUARE, WIDE, TALL].index)
    full = [-(-len(numbers) // 5) for numbers, _ in reader.buckets]
    assert [shapes.count(shape) for shape in (SQUARE, WIDE, TALL)] == full, "as few shards as there can be"
    assert len({shard["file"] for shard in index["shards"]}) == len(shapes)


def test_the_other_splits_are_squares(written):
    for split in ("evaluator", "heldout"):
        other = ShardReader(written[1] / f"{split}.json")
        assert other.buckets == [Bucket(range(4), SQUARE)]
        assert torch.equal(other.whole(range(4)), other.images(range(4)))


def test_what_is_too_small_for_a_square_goes_to_training_if_its_own_shape_is_smaller(written, reader):
    """Images of 12 x 6 pixels; those of 7 x 7 are of no use to any split."""
    index = json.loads((written[1] / "train.json").read_text())
    sources = {i: [f"{'ab'[n % 2]}/{n}.png" for n in range(i, len(SIZES) * 7, len(SIZES))] for i in (7, 8)}
    trained = [reader.record(i)["source"] for i in range(len(reader))]
    assert set(sources[7]) <= set(trained)
    assert {reject["path"]: reject["reason"] for reject in index["rejects"]} == dict.fromkeys(
        sources[8], "it has 7 x 7 pixels, fewer than 8 x 8 (data.image_size)"
    )


def test_every_usable_image_is_in_one_split(written):
    splits = [ShardReader(written[1] / f"{split}.json") for split in ("train", "evaluator", "heldout")]
    dealt = [split.record(i)["source"] for split in splits for i in range(len(split))]
    assert [len(split) for split in splits] == [48, 4, 4]
    assert len(set(dealt)) == len(dealt) == 8 * 7 == json.loads((written[1] / "train.json").read_text())["read"] - 7


def test_two_processes_write_the_same_bytes(written, tmp_path):
    root, out = written
    write_splits(data(root), tmp_path, 2)
    assert contents(tmp_path) == contents(out)


def test_who_needs_squares_gets_the_central_ones(reader):
    for numbers, (height, width) in reader.buckets:
        side, i = min(height, width), numbers[0]
        top, left = (height - side) // 2, (width - side) // 2
        whole = reader.whole([i])[0].permute(1, 2, 0).numpy()
        central = Image.fromarray(whole[top : top + side, left : left + side])
        expected = np.asarray(central.resize(SQUARE, Image.Resampling.BICUBIC))
        assert np.array_equal(reader.images([i])[0].permute(1, 2, 0), expected)
    assert reader.images(range(len(reader))).shape == (len(reader), 3, *SQUARE)


def test_images_of_several_shapes_are_no_batch(reader):
    with pytest.raises(ValueError, match=r"images of the shapes \[\(6, 12\), \(8, 8\)\] make no batch"):
        reader.whole([reader.buckets[0].numbers[0], reader.buckets[1].numbers[0]])


def test_parts_are_the_whole_in_its_order():
    assert parts(range(3, 10), 3) == [range(3, 6), range(6, 9), range(9, 10)]
    assert parts(range(0), 3) == []


# ----- batches -----


def latents(numbers: range, tokens: int) -> dict[str, torch.Tensor]:
    """Latent tokens that are the number of their image, and text of which the same is true; exact in half precision."""
    n = torch.tensor(numbers, dtype=torch.float32)[:, None, None]
    return {"latents": n.expand(-1, tokens, 2).contiguous(), "text": -n.expand(-1, 3, 2).contiguous()}


@pytest.fixture(scope="module")
def tokens(reader, tmp_path_factory):
    shards = [latents(numbers, height * width // 4) for numbers, (height, width) in reader.buckets]
    grids = [(height // 2, width // 2) for _, (height, width) in reader.buckets]
    index = tmp_path_factory.mktemp("latents") / "train.json"
    rows.write(index, shards, {}, grids=grids)
    return RowReader(index)


def drawn(reader, tokens, *, updates=40, seed=3, **options) -> Batches:
    stored = {"latents": tokens}
    return Batches(reader, images=updates * BATCH, batch=BATCH, seed=seed, whole=True, stored=stored, **options)


def owners(batch: dict[str, torch.Tensor]) -> list[int]:
    """Which images a batch has, read from their tokens."""
    return batch["latents"][:, 0, 0].long().tolist()


def numbers(batches: Batches, start: int = 0) -> list[list[int]]:
    """Which images each update sees."""
    return [owners(batch) for batch in batches.starting_at(start, workers=1)]


def test_every_batch_has_one_shape_and_the_tokens_of_its_images(reader, tokens):
    for batch in drawn(reader, tokens).starting_at(0, workers=1):
        chosen = owners(batch)
        assert batch.keys() == {"images", "latents", "text"}
        assert len(chosen) == BATCH and batch["text"][:, 2, 1].tolist() == [-i for i in chosen]
        assert torch.equal(batch["images"], reader.whole(chosen)), "which raises where shapes differ"
        assert 4 * batch["latents"].shape[1] == batch["images"][0, 0].numel()


def test_an_epoch_sees_every_image_and_fills_the_last_batch_of_a_bucket_by_repetition(reader, tokens):
    batches = [-(-len(bucket.numbers) // BATCH) for bucket in reader.buckets]
    assert any(len(bucket.numbers) % BATCH for bucket in reader.buckets), "else there would be nothing to fill"
    seen = numbers(drawn(reader, tokens, updates=sum(batches)))
    assert {i for chosen in seen for i in chosen} == set(range(len(reader)))
    for (own, _), count in zip(reader.buckets, batches, strict=True):
        assert sum(chosen[0] in own for chosen in seen) == count


def test_images_of_a_bucket_are_seen_equally_often_at_any_time(reader, tokens):
    counts = np.zeros(len(reader), int)
    for chosen in numbers(drawn(reader, tokens, updates=100)):
        np.add.at(counts, chosen, 1)
        for own, _ in reader.buckets:
            assert np.ptp(counts[own.start : own.stop]) <= 1
    assert counts.min() >= 7


def test_buckets_take_turns_in_an_order_of_each_epoch_s_own():
    batches = [5, 3, 2]
    epochs = [[turn(batches, 0, update) for update in range(start, start + 10)] for start in (0, 10, 20)]
    for epoch, turns in enumerate(epochs):
        for bucket, count in enumerate(batches):
            earlier = [before for chosen, before in turns if chosen == bucket]
            assert earlier == list(range(epoch * count, (epoch + 1) * count))
    orders = [[bucket for bucket, _ in turns] for turns in epochs]
    assert orders[0] != orders[1] != orders[2] and orders[0] != sorted(orders[0]), "shuffled, and anew each time"
    assert orders[0] != [turn(batches, 1, update)[0] for update in range(10)], "the seed must matter too"


def test_a_resumed_sequence_is_the_uninterrupted_one(reader, tokens):
    whole = numbers(drawn(reader, tokens))
    for start in (1, 13, 39):
        assert numbers(drawn(reader, tokens), start) == whole[start:]


def test_processes_together_see_what_one_would(reader, tokens):
    one = numbers(drawn(reader, tokens))
    shares = [numbers(drawn(reader, tokens, rank=rank, world_size=2)) for rank in (0, 1)]
    assert [first + second for first, second in zip(*shares, strict=True)] == one


def test_a_set_too_large_for_memory_gives_the_same_batches(reader, tokens, monkeypatch):
    kept = drawn(reader, tokens, updates=12)
    monkeypatch.setattr(module, "MEMORY_BYTES", 0)
    read = drawn(reader, tokens, updates=12)
    assert kept.memory is not None and read.memory is None
    for one, other in zip(kept.starting_at(0, workers=1), read.starting_at(0, workers=1), strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_smaller_set_cuts_the_buckets_and_drops_those_that_are_left_empty(reader, tokens):
    square, wide, _ = (bucket.numbers for bucket in reader.buckets)
    few = drawn(reader, tokens, first=wide.start + 3, labelled=True)
    assert few.buckets == [Bucket(square, SQUARE), Bucket(range(wide.start, wide.start + 3), WIDE)]
    seen = list(few.starting_at(0, workers=1))
    assert {i for batch in seen for i in owners(batch)} == set(range(wide.start + 3))
    for batch in seen:
        assert torch.equal(batch["images"], reader.whole(owners(batch)))
        assert torch.equal(batch["label"], reader.labels[owners(batch)])


def test_a_single_bucket_is_its_plain_order(written, tmp_path):
    squares = ShardReader(written[1] / "evaluator.json")
    rows.write(tmp_path / "train.json", [latents(range(4), 16)], {}, grids=[(4, 4)])
    options = {"images": 60, "batch": 3, "seed": 5}
    stored = {"latents": RowReader(tmp_path / "train.json")}
    chosen = torch.tensor(numbers(Batches(squares, whole=True, stored=stored, **options)))
    assert torch.equal(chosen.flatten(), plainly(4, 5, 0, 60))
    by_class = Batches(squares, labelled=True, **options)
    assert torch.equal(torch.cat([by_class.chosen(update) for update in range(20)]), plainly(4, 5, 0, 60))


def test_who_does_not_ask_for_whole_images_sees_squares_in_the_plain_order(reader):
    batches = Batches(reader, images=80, batch=BATCH, seed=3, labelled=True)
    order = plainly(len(reader), 3, 0, 80)
    for batch, chosen in zip(batches.starting_at(0, workers=1), order.split(BATCH), strict=True):
        assert torch.equal(batch["images"], reader.images(chosen.tolist()))
        assert torch.equal(batch["label"], reader.labels[chosen])


def test_tokens_know_their_grids(reader, tokens):
    square, wide, tall = (bucket.numbers for bucket in reader.buckets)
    assert [tokens.grids(own) for own in (square, wide, tall)] == [{(4, 4)}, {(3, 6)}, {(6, 3)}]
    assert tokens.grids(range(square[-1], wide[0] + 1)) == {(4, 4), (3, 6)}
