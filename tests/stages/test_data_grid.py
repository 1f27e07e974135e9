"""The picture of the training images."""

import numpy as np
from PIL import Image
from workshop import run_stage

from asymflow.config.data import Data
from asymflow.data.shards import write_splits
from asymflow.stages import data_grid


def test_a_class_without_a_training_image_leaves_a_gap(tmp_path):
    """One image of a class, which the held-out split takes."""
    for name, count in (("a", 8), ("b", 1)):
        for i in range(count):
            (tmp_path / "photos" / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8, 3), 10 * i, np.uint8)).save(tmp_path / "photos" / name / f"{i}.png")
    for seed in range(20):
        data = Data(
            source="folder", path=str(tmp_path / "photos"), image_size=8, train=None, evaluator=0, heldout=2, seed=seed
        )
        write_splits(data, tmp_path / "out", 1)
        run_stage(data_grid, data=tmp_path / "out" / "train.json", picture=tmp_path / "data.png")
        assert Image.open(tmp_path / "data.png").size[0] == 2 * (2 * 8 + 2)
