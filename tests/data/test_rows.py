"""Named rows on disk: any image's by its number, whatever they hold."""

import json
import pickle
import shutil

import pytest
import torch

from asymflow import tensors
from asymflow.data import rows
from asymflow.data.rows import RowReader, concatenated, floats, stored

COUNT = 23
SHARED = {"empty": torch.full((3, 4), -2.0)}


def values(numbers):
    """Rows that say whose they are; exact in bfloat16."""
    n = torch.tensor(list(numbers), dtype=torch.float32)
    return {
        "text": n[:, None, None].expand(-1, 3, 4).contiguous(),
        "mask": n[:, None] > torch.tensor([0, 9, 18]),
        "embedding": -n[:, None].expand(-1, 5).contiguous(),
        "number": n.long(),
    }


def same(one, other):
    """Whether both have the same tensors of the same types under the same names."""
    assert one.keys() == other.keys()
    return all(one[name].dtype == other[name].dtype and torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """Three shards of 10, 10 and 3 rows."""
    path = tmp_path_factory.mktemp("rows") / "train.json"
    parts = (values(range(start, min(start + 10, COUNT))) for start in range(0, COUNT, 10))
    rows.write(path, parts, {"reader": "a test"}, SHARED)
    return path


@pytest.fixture(params=[True, False], ids=["kept", "read"])
def reader(index, request, monkeypatch):
    """The same rows kept in memory, and read from their files each time."""
    monkeypatch.setattr(rows, "MEMORY_BYTES", 1 << 30 if request.param else 0)
    made = RowReader(index)
    assert (made._memory is not None) == request.param
    return made


# ----- reading -----


@pytest.mark.parametrize("numbers", [[20, 3, 9, 10], [22], [4, 4, 0], list(range(COUNT))])
def test_any_row_comes_in_the_order_asked_for(reader, numbers):
    assert len(reader) == COUNT
    assert same(reader.read(numbers), values(numbers))


def test_a_reader_knows_the_shapes_of_a_row_what_all_rows_share_and_what_their_writer_said(reader):
    assert reader.description["reader"] == "a test"
    assert reader.shapes == {"text": (3, 4), "mask": (3,), "embedding": (5,), "number": ()}
    assert same(reader.shared, SHARED)


def test_a_reader_travels_to_other_processes(reader):
    assert same(pickle.loads(pickle.dumps(reader)).read([21, 2]), values([21, 2]))


def test_rows_that_share_nothing_have_no_file_of_it(tmp_path):
    rows.write(tmp_path / "train.json", [values(range(2))], {})
    assert RowReader(tmp_path / "train.json").shared == {}
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")} == {
        "train.json",
        "train/00000.safetensors",
    }


@pytest.mark.parametrize("room", [0, 1])
def test_rows_are_kept_up_to_the_last_byte_that_there_is_room_for(index, monkeypatch, room):
    size = sum(path.stat().st_size for path in index.parent.glob("train/0*.safetensors"))
    monkeypatch.setattr(rows, "MEMORY_BYTES", size - 1 + room)
    assert (RowReader(index)._memory is not None) == bool(room)


# ----- files -----


def test_the_index_describes_its_shards(index):
    description = json.loads(index.read_text())
    assert description["reader"] == "a test"
    assert [shard["file"] for shard in description["shards"]] == [f"train/0000{i}.safetensors" for i in range(3)]
    assert [shard["count"] for shard in description["shards"]] == [10, 10, 3]
    for shard in description["shards"]:
        assert tensors.describe(index.parent / shard["file"], "rows")["checksum"] == shard["checksum"]


@pytest.mark.parametrize("room", [0, 1 << 30], ids=["row by row", "in memory"])
def test_a_bit_that_turns_in_a_row_is_an_error_when_it_is_read(index, tmp_path, monkeypatch, room):
    copied = shutil.copytree(index.parent, tmp_path / "copied")
    path = copied / "train/00001.safetensors"
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    monkeypatch.setattr(rows, "MEMORY_BYTES", room)
    with pytest.raises(ValueError, match=r"train/00001.safetensors is (cut or )?damaged"):
        RowReader(copied / index.name).read(range(10, 20))


def test_a_shard_of_other_rows_is_refused(index, tmp_path):
    copied = shutil.copytree(index.parent, tmp_path / "copied")
    shutil.copy(copied / "train/00000.safetensors", copied / "train/00001.safetensors")
    with pytest.raises(ValueError, match=r"train/00001.safetensors is not the file that .*train.json lists"):
        RowReader(copied / index.name)


def test_files_hold_bfloat16_latents_in_float16_and_all_else_as_it_is(tmp_path):
    generator = torch.Generator().manual_seed(0)
    given = values(range(3)) | {"latents": torch.randn(3, 2, 5, generator=generator)}
    given["text"] = torch.randn(3, 3, 4, generator=generator)
    rows.write(tmp_path / "train.json", [given], {}, SHARED)
    loaded = tensors.load(tmp_path / "train/00000.safetensors", "rows")
    halves = {"text": torch.bfloat16, "embedding": torch.bfloat16, "latents": torch.float16}
    assert {name: tensor.dtype for name, tensor in loaded.items()} == halves | {
        "mask": torch.bool,
        "number": torch.int64,
    }
    assert tensors.load(tmp_path / "train/shared.safetensors", "rows")["empty"].dtype == torch.bfloat16
    read = RowReader(tmp_path / "train.json").read(range(3))
    assert torch.equal(read["text"], given["text"].bfloat16().float())
    assert torch.equal(read["latents"], given["latents"].half().float())


def test_what_files_hold_comes_back_as_networks_take_it():
    given = values(range(4)) | {"latents": torch.tensor([[0.1], [1 / 3], [7.0], [-2.5]])}
    back = floats(stored(given))
    assert same(back | {"latents": given["latents"]}, given)
    assert torch.equal(back["latents"], given["latents"].half().float())
    assert same(floats(back), back)


def test_a_number_that_is_none_stays_none(tmp_path):
    """Where a set has no face masks, what stands for their share is not a number."""
    face = torch.tensor([[0.5, torch.nan], [torch.nan, 0.25]])
    rows.write(tmp_path / "train.json", [{"face": face}], {})
    torch.testing.assert_close(RowReader(tmp_path / "train.json").read([1, 0])["face"], face[[1, 0]], equal_nan=True)


def test_parts_make_a_whole_in_their_order():
    whole = concatenated(values(part) for part in (range(0, 4), range(4, 5), range(5, 11)))
    assert same(whole, values(range(11)))


# ----- grids -----

GRIDS = [(2, 2), (2, 2), (1, 3)]


def latents(numbers, grid):
    """Latent tokens that are the number of their image."""
    n = torch.tensor(list(numbers), dtype=torch.float32)
    return {"latents": n[:, None, None].expand(-1, grid[0] * grid[1], 2).contiguous()}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    """Latent tokens in two grids: images 0 to 6 in one, in two shards, and 7 to 9 in another."""
    path = tmp_path_factory.mktemp("tokens") / "train.json"
    parts = (latents(n, grid) for n, grid in zip((range(4), range(4, 7), range(7, 10)), GRIDS, strict=True))
    rows.write(path, parts, {}, grids=GRIDS)
    return path


def test_rows_of_several_grids_are_read_from_their_files(tokens):
    reader = RowReader(tokens)
    assert reader._memory is None
    assert torch.equal(reader.read([6, 0, 3])["latents"], latents([6, 0, 3], (2, 2))["latents"])
    assert torch.equal(reader.read([9, 7])["latents"], latents([9, 7], (1, 3))["latents"])


def test_rows_of_a_single_grid_are_kept(tmp_path):
    rows.write(tmp_path / "train.json", [latents(range(4), (2, 2)), latents(range(4, 7), (2, 2))], {}, grids=GRIDS[:2])
    reader = RowReader(tmp_path / "train.json")
    assert reader._memory is not None
    assert torch.equal(reader.read([6, 0])["latents"], latents([6, 0], (2, 2))["latents"])
    assert reader.grids(range(7)) == {(2, 2)}


@pytest.mark.parametrize(
    "numbers, grids",
    [(range(0, 4), {(2, 2)}), (range(0, 7), {(2, 2)}), (range(6, 7), {(2, 2)}), (range(6, 8), {(2, 2), (1, 3)}),
     (range(7, 10), {(1, 3)}), (range(10), {(2, 2), (1, 3)})],
)  # fmt: skip
def test_the_grids_of_some_images_are_those_of_their_shards(tokens, numbers, grids):
    assert RowReader(tokens).grids(numbers) == grids


def test_rows_without_grids_have_none(index):
    assert RowReader(index).grids(range(COUNT)) == set()
