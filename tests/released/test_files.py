"""Files of weights that others made are untrusted, and read strictly."""

import argparse
import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from asymflow.released import files


def test_safetensors_and_torch_s_own_format_give_the_same_tensors(tmp_path):
    tensors = {"a": torch.rand(2, 3), "b.c": torch.arange(4)}
    save_file(tensors, tmp_path / "w.safetensors")
    torch.save(tensors, tmp_path / "w.pth")
    torch.save(tensors, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for name in ("w.safetensors", "w.pth", "old.pth"):
        read = files.read(tmp_path / name)
        assert read.keys() == tensors.keys() and all(torch.equal(read[key], tensors[key]) for key in tensors)


def test_the_options_of_a_training_script_may_lie_beside_the_weights(tmp_path):
    torch.save({"model_ema1": {"w": torch.ones(1)}, "args": argparse.Namespace(lr=1.0)}, tmp_path / "w.pth")
    assert files.read(tmp_path / "w.pth")["args"].lr == 1.0


class Harmful:
    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_nothing_else_is_unpickled(tmp_path):
    harmful = Harmful()
    Harmful.path = str(tmp_path / "made")
    torch.save({"w": torch.ones(1), "more": harmful}, tmp_path / "w.pth")
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(harmful))
    for name in ("w.pth", "bare.pt"):
        with pytest.raises(ValueError, match=name):
            files.read(tmp_path / name)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
@pytest.mark.parametrize("kept", [0, 7, 0.5])
def test_a_file_that_is_cut_is_named(tmp_path, name, kept):
    path = tmp_path / name
    (save_file if path.suffix == ".safetensors" else torch.save)({"a": torch.rand(50, 50)}, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if kept < 1 else kept])
    with pytest.raises(ValueError, match=name):
        files.read(path)


def test_what_is_not_there_and_what_is_no_file_of_weights_is_said(tmp_path):
    with pytest.raises(OSError, match="none"):
        files.read(tmp_path / "none.pth")
    (tmp_path / "w.txt").write_text("weights")
    with pytest.raises(ValueError, match=r"ends in '\.txt'"):
        files.read(tmp_path / "w.txt")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ValueError, match="holds a list"):
        files.read(tmp_path / "list.pth")
