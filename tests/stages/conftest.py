"""Small portraits, and a workshop in which arms of any kind are made and judged."""

import pytest
from workshop import SIZE, Workshop, run_stage

from asymflow.config.data import Data
from asymflow.config.evaluator import Evaluator
from asymflow.data.shards import write_splits
from asymflow.stages import fit_evaluator


@pytest.fixture(scope="session")
def run():
    """Runs a stage in this process, as a rule would."""
    return run_stage


@pytest.fixture(scope="session")
def portraits(tmp_path_factory):
    """Indexes and shards of portraits of 32 pixels, and an evaluator that has hardly learned anything."""
    folder = tmp_path_factory.mktemp("portraits")
    write_splits(Data(image_size=SIZE, train=60, evaluator=60, heldout=30), folder, processes=1)
    config = Evaluator(image_size=SIZE, width=32, text_width=16, heads=2, images=120, batch=20, precision="float32")
    run_stage(
        fit_evaluator, config=config.model_dump_json(), data=folder / "evaluator.json", out=folder / "local.safetensors"
    )
    return folder


@pytest.fixture(scope="session")
def workshop(portraits, tmp_path_factory):
    """Everything made once."""
    return Workshop(tmp_path_factory.mktemp("workshop") / "results", portraits)
