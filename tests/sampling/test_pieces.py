"""Sampling in pieces: resumed, shared among processes, and drawn anew where they are damaged or of something else."""

import shutil

import numpy as np
import pytest

from asymflow.files import checksum
from asymflow.sampling import pieces

COUNT, BATCH = 10, 4
MODEL = {"model": "a"}


def drawn(numbers) -> np.ndarray:
    return np.stack([np.full((2, 3, 3), number, dtype=np.uint8) for number in numbers])


@pytest.fixture
def folder(tmp_path):
    """All pieces of ten images."""
    for numbers in pieces.ranges(COUNT, BATCH):
        pieces.write(tmp_path / "samples.parts", numbers, drawn(numbers), MODEL, 1.5)
    return tmp_path / "samples.parts"


def missing(folder, identity=MODEL):
    return pieces.missing(folder, COUNT, BATCH, identity)


def test_what_is_drawn_is_not_drawn_again(tmp_path):
    folder = tmp_path / "samples.parts"
    assert missing(folder) == [range(0, 4), range(4, 8), range(8, 10)]
    pieces.write(folder, range(4, 8), drawn(range(4, 8)), MODEL, 1.5)
    assert missing(folder) == [range(0, 4), range(8, 10)]


def test_joined_they_are_the_images_in_the_order_of_their_numbers(folder, tmp_path):
    digest, _ = pieces.join(folder, tmp_path / "samples.npy", COUNT, BATCH, MODEL)
    assert (np.load(tmp_path / "samples.npy") == drawn(range(COUNT))).all()
    assert digest == checksum(tmp_path / "samples.npy")
    np.save(tmp_path / "numpy.npy", drawn(range(COUNT)))
    assert (tmp_path / "samples.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()
    pieces.remove(folder)
    assert not folder.exists()


def test_they_took_as_long_as_all_of_them_whichever_call_drew_them(folder, tmp_path):
    pieces.write(folder, range(4, 8), drawn(range(4, 8)), MODEL, 20.0)
    _, seconds = pieces.join(folder, tmp_path / "samples.npy", COUNT, BATCH, MODEL)
    assert seconds == 23


def test_pieces_of_another_model_are_missing(folder):
    assert missing(folder, {"model": "b"}) == pieces.ranges(COUNT, BATCH)


def cut(path):
    path.write_bytes(path.read_bytes()[:-5])


def turn_a_bit(path):
    damaged = bytearray(path.read_bytes())
    damaged[-3] ^= 4
    path.write_bytes(damaged)


def swap(path):
    shutil.copy(path.with_name("00000000.safetensors"), path)


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut, turn_a_bit, swap, empty, lambda path: path.unlink()])
def test_a_damaged_piece_is_drawn_anew_and_never_joined(folder, tmp_path, damage):
    damage(folder / "00000004.safetensors")
    assert missing(folder) == [range(4, 8)]
    with pytest.raises(ValueError, match=r"00000004.safetensors is missing or damaged; give the same command again"):
        pieces.join(folder, tmp_path / "samples.npy", COUNT, BATCH, MODEL)
    assert not (tmp_path / "samples.npy").exists()
    pieces.write(folder, range(4, 8), drawn(range(4, 8)), MODEL, 1.5)
    pieces.join(folder, tmp_path / "samples.npy", COUNT, BATCH, MODEL)


@pytest.mark.parametrize("name", [".00000004.partial.safetensors", "00000010.safetensors", "00000004.npy", "notes.txt"])
def test_what_else_lies_in_the_folder_is_not_joined(folder, tmp_path, name):
    shutil.copy(folder / "00000004.safetensors", folder / name)
    pieces.join(folder, tmp_path / "samples.npy", COUNT, BATCH, MODEL)
    assert (np.load(tmp_path / "samples.npy") == drawn(range(COUNT))).all()
