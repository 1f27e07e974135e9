"""The picture of the training images."""

import numpy as np
from PIL import Image
from workshop import run_stage

from asymflow.config.data import Data
from asymflow.data.reader import ShardReader
from asymflow.data.shards import write_splits
from asymflow.stages import data_grid


def test_a_class_without_a_training_image_leaves_a_gap(tmp_path):
    """One image of a class, which the held-out split takes."""
    for name, count in (("a", 8), ("b", 1)):
        for i in range(count):
            (tmp_path / "photos" / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8, 3), 10 * i, np.uint8)).save(tmp_path / "photos" / name / f"{i}.png")
    photos = str(tmp_path / "photos")
    data = Data(source="folder", path=photos, image_size=8, train=None, evaluator=0, heldout=2, seed=1)
    write_splits(data, tmp_path / "out", 1)
    assert ShardReader(tmp_path / "out" / "train.json").class_counts == [7, 0]
    run_stage(data_grid, data=tmp_path / "out" / "train.json", picture=tmp_path / "data.png")
    picture = np.asarray(Image.open(tmp_path / "data.png"))
    assert picture.shape[1] == 2 * (2 * 8 + 2) and (picture[:16, :16] < 100).all() and (picture[:, 18:] == 255).all()
