"""A file of tensors says what it is, is read by the published package too, and no damage to it passes."""

import json
import random

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from asymflow import tensors

GIVEN = {
    "b": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "a": torch.ones(3, dtype=torch.bfloat16),
    "flags": torch.tensor([True, False]),
    "scalar": torch.tensor(2.5, dtype=torch.float64),
    "bytes": torch.arange(5, dtype=torch.uint8),
    "none": torch.zeros(0, 4),
}


@pytest.fixture
def path(tmp_path):
    tensors.save(tmp_path / "a.safetensors", "rows", GIVEN, {"what": "all kinds"})
    return tmp_path / "a.safetensors"


def test_what_is_read_is_what_was_written(path):
    loaded, public = tensors.load(path, "rows"), load_file(path)
    assert loaded.keys() == public.keys() == GIVEN.keys()
    for name, values in GIVEN.items():
        for read in (loaded[name], public[name]):
            assert read.dtype == values.dtype and torch.equal(read, values)
    assert tensors.describe(path, "rows")["what"] == "all kinds"


def test_every_tensor_lies_at_a_multiple_of_its_width(path):
    header = json.loads(path.read_bytes()[8 : 8 + int.from_bytes(path.read_bytes()[:8], "little")])
    start = 8 + int.from_bytes(path.read_bytes()[:8], "little")
    for name, values in GIVEN.items():
        assert (start + header[name]["data_offsets"][0]) % values.element_size() == 0


def test_the_same_content_has_the_same_bytes_and_checksum_in_whatever_order_it_is_given(tmp_path, path):
    again = tensors.save(tmp_path / "b.safetensors", "rows", dict(reversed(GIVEN.items())), {"what": "all kinds"})
    assert (tmp_path / "b.safetensors").read_bytes() == path.read_bytes()
    assert again == tensors.describe(path, "rows")["checksum"]


def test_a_tensor_that_is_not_contiguous_or_needs_a_gradient_is_written_all_the_same(tmp_path):
    given = torch.arange(6.0, requires_grad=True).reshape(2, 3).T
    tensors.save(tmp_path / "a.safetensors", "rows", {"a": given}, {})
    assert torch.equal(tensors.load(tmp_path / "a.safetensors", "rows")["a"], given.detach())


def test_any_bit_that_turns_is_noticed(path):
    whole, draw = path.read_bytes(), random.Random(0)
    for place in [*draw.sample(range(8 * len(whole)), 300), *range(64)]:
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            loaded = tensors.load(path, "rows")
        except ValueError as error:
            assert str(path) in str(error) and "delete it and give the same command again" in str(error)
        else:  # a bit of the padding, which says nothing
            assert all(torch.equal(loaded[name], GIVEN[name]) for name in GIVEN)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_is_noticed(path, share):
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"a.safetensors .*delete it and give the same command again"):
        tensors.describe(path, "rows")


def test_zeros_in_place_of_a_block_are_noticed(path):
    whole = bytearray(path.read_bytes())
    whole[-30:-15] = bytes(15)
    path.write_bytes(whole)
    with pytest.raises(ValueError, match=r"the tensor '.*' does not fit its checksum"):
        tensors.load(path, "rows")


def test_another_kind_and_a_file_that_says_nothing_are_refused(tmp_path, path):
    with pytest.raises(ValueError, match="holds 'rows'; expected 'model': delete it"):
        tensors.load(path, "model")
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(2)}, tmp_path / "plain.safetensors")
    with pytest.raises(ValueError, match="does not say what it is"):
        tensors.load(tmp_path / "plain.safetensors", "rows")


def test_a_later_format_is_refused_by_its_number(path, monkeypatch):
    monkeypatch.setattr(tensors, "FORMAT", 2)
    with pytest.raises(ValueError, match="has the format 1, which this version cannot read; it reads 2"):
        tensors.describe(path, "rows")


def test_a_file_that_is_not_there_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        tensors.load(tmp_path / "none.safetensors", "rows")


def test_only_what_is_wanted_is_read(path):
    assert tensors.load(path, "rows", lambda name: name == "a").keys() == {"a"}
    with safe_open(path, framework="pt") as file:
        assert list(file.metadata()) == ["description"]
