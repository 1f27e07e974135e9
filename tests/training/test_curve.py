"""What TensorBoard is given of a training, and of one that was interrupted."""

import time

import numpy as np
import torch
from board import grids, steps

from asymflow.training.curve import Curve


def pictures(brightness):
    return torch.full((5, 3, 6, 4), brightness, dtype=torch.uint8)


def resume():
    """Passes the time that lies between two processes: TensorBoard's files bear the second, and those of one have no order."""
    time.sleep(1.01 - time.time() % 1)


def test_pictures_stand_side_by_side_in_a_frame(tmp_path):
    curve = Curve(tmp_path / "tensorboard", [], 0)
    curve.show(8, pictures(7))
    ((images, grid),) = grids(tmp_path)  # without close: a killed training keeps what it has shown
    assert images == 8 and grid.shape == (8, 5 * 6, 3)
    assert (grid[1:7, 7:11] == 7).all() and (grid[:, 5:7] == 255).all()
    curve.close()


def test_what_comes_again_after_an_interruption_is_shown_once_and_what_does_not_is_kept(tmp_path):
    """Saved after 16 images, at a moment between two points of the curve, and killed after 24."""
    first = Curve(tmp_path / "tensorboard", [], 0)
    first.add(8, loss=1.0)
    first.show(12, pictures(1))
    first.show(20, pictures(2))
    first.add(24, loss=0.5)
    first.close()
    resume()
    again = Curve(tmp_path / "tensorboard", first.points[:1], 16)
    again.show(20, pictures(3))
    again.add(24, loss=0.5)
    again.close()
    shown = grids(tmp_path)
    assert [images for images, _ in shown] == [12, 20] and shown[1][1][1, 1, 0] == 3
    assert steps(tmp_path, "loss") == [8, 24]
    assert [point["images"] for point in again.points] == [8, 24]


def test_a_training_that_begins_anew_shows_nothing_of_an_earlier_one(tmp_path):
    first = Curve(tmp_path / "tensorboard", [], 0)
    first.show(8, pictures(1))
    first.close()
    resume()
    again = Curve(tmp_path / "tensorboard", [], 0)
    again.show(16, pictures(2))
    again.close()
    (images, grid), *others = grids(tmp_path)
    assert images == 16 and not others and np.unique(grid).tolist() == [2, 255]
