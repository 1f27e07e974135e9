"""The validation suite as a file."""

import dataclasses

import pytest
import torch

from asymflow import tensors
from asymflow.data.suite import Case, Suite

ALL = ("caption", "embedding", "patches")
CASES = [
    Case("text", 0, 0, 0, ("caption",)),
    Case("swap", 1, 0, 0, ALL),
    Case("text", 1, 1, 1, ("caption",)),
    Case("edited", 2, 2, 0, ALL, edit=0),
    Case("memory", 0, 0, 0, ("caption",), source="train"),
]
EDITS = [
    {
        "image": 2,
        "before": "none",
        "after": "sunglasses",
        "caption": "in sunglasses",
        "attribute": "glasses",
        "kept": {"skin": "fair"},
    }
]


def pictures(count, seed):
    return torch.randint(256, (count, 3, 6, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def suite():
    """Five cases; what they are shown is exact in bfloat16, which files hold."""
    n = torch.arange(5.0)
    shown = {
        "text": n[:, None, None].expand(-1, 3, 4).contiguous(),
        "mask": n[:, None] > torch.tensor([0, 1, 4]),
        "embedding": n[:, None].expand(-1, 7).contiguous() / 8,
        "patches": -n[:, None, None].expand(-1, 4, 5).contiguous(),
    }
    return Suite(CASES, EDITS, shown, torch.full((3, 4), 0.25), pictures(5, 0), pictures(1, 1), 6, "heldout", "set")


def test_a_suite_survives_its_file(suite, tmp_path):
    suite.save(tmp_path / "suite.safetensors")
    loaded = Suite.load(tmp_path / "suite.safetensors")
    for name in ("cases", "edits", "image_size", "split", "data"):
        assert getattr(loaded, name) == getattr(suite, name)
    for name in ("empty", "wanted", "content"):
        assert getattr(loaded, name).dtype == getattr(suite, name).dtype
        assert torch.equal(getattr(loaded, name), getattr(suite, name))
    assert loaded.rows.keys() == suite.rows.keys()
    for name, values in suite.rows.items():
        assert loaded.rows[name].dtype == values.dtype and torch.equal(loaded.rows[name], values)


def test_what_is_shown_is_rounded_as_it_was_in_training_and_images_are_not(suite, tmp_path):
    """Training reads its embeddings from files in bfloat16."""
    fine = dataclasses.replace(suite, rows=suite.rows | {"embedding": torch.full((5, 7), 1 / 3)})
    fine.save(tmp_path / "suite.safetensors")
    held = tensors.load(tmp_path / "suite.safetensors", "validation suite")
    assert held["embedding"].dtype == held["empty"].dtype == torch.bfloat16 and held["wanted"].dtype == torch.uint8
    loaded = Suite.load(tmp_path / "suite.safetensors")
    assert torch.equal(loaded.rows["embedding"], fine.rows["embedding"].bfloat16().float())


def test_the_same_suite_has_the_same_bytes(suite, tmp_path):
    for name in ("a", "b"):
        suite.save(tmp_path / f"{name}.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_cases_are_found_and_counted_by_kind(suite):
    assert suite.of_kind("text") == [0, 2] and suite.of_kind("memory") == [4] and suite.of_kind("told") == []
    assert suite.counts() == {"text": 2, "swap": 1, "edited": 1, "memory": 1}


def test_wanted_images_are_those_of_their_kind(suite):
    wanted = suite.wanted_by_kind()
    assert list(wanted) == ["text", "swap", "edited", "memory"]
    assert torch.equal(wanted["text"], suite.wanted[[0, 2]]) and torch.equal(wanted["edited"], suite.wanted[[3]])


def test_another_file_is_refused(tmp_path):
    tensors.save(tmp_path / "other.safetensors", "rows", {"wanted": torch.zeros(1)}, {})
    with pytest.raises(ValueError, match=r"other.safetensors holds 'rows'; expected 'validation suite'"):
        Suite.load(tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(ValueError, match="is cut or damaged"):
        Suite.load(tmp_path / "text.safetensors")
