"""A training split small enough for any test: 48 images of 16 x 16 pixels in 3 classes."""

import numpy as np
import pytest
from PIL import Image

from asymflow.config.data import Data
from asymflow.data.shards import write_splits


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory):
    """The folder of the indexes train.json, evaluator.json, heldout.json."""
    folder = tmp_path_factory.mktemp("tiny")
    generator = np.random.default_rng(0)
    for i in range(60):
        path = folder / "images" / f"class{i % 3}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(generator.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        coarse.resize((16, 16)).save(path)
    data = Data(source="folder", path=str(folder / "images"), image_size=16, train=48, evaluator=6, heldout=6)
    write_splits(data, folder / "data", processes=1)
    return folder / "data"
