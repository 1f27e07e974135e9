"""Sampling in pieces: resumed, shared among processes, and thrown away where they are another model's."""

import numpy as np

from asymflow.sampling import pieces


def drawn(indices) -> np.ndarray:
    return np.stack([np.full((2, 3, 3), number, dtype=np.uint8) for number in indices])


def test_pieces_resume_and_are_shared_among_processes(tmp_path):
    folder, out = tmp_path / "samples.parts", tmp_path / "samples.npy"
    pieces.prepare(folder, {"model": "a"})
    mine, yours = pieces.missing(folder, 10, 4, 0, 2), pieces.missing(folder, 10, 4, 1, 2)
    assert mine == [range(0, 4), range(8, 10)] and yours == [range(4, 8)]
    for indices in (*yours, *mine[1:]):
        pieces.write(folder, indices, drawn(indices))
    pieces.prepare(folder, {"model": "a"})
    assert pieces.missing(folder, 10, 4, 0, 1) == [range(0, 4)]
    pieces.write(folder, range(0, 4), drawn(range(0, 4)))
    assert (pieces.join(folder, out) == drawn(range(10))).all() and not folder.exists()
    assert (np.load(out) == drawn(range(10))).all()


def test_pieces_of_another_model_are_removed(tmp_path):
    folder = tmp_path / "samples.parts"
    pieces.prepare(folder, {"model": "a"})
    pieces.write(folder, range(0, 4), drawn(range(4)))
    pieces.prepare(folder, {"model": "b"})
    assert pieces.missing(folder, 4, 4, 0, 1) == [range(0, 4)]
