"""Small portraits, and a workshop in which arms of any kind are made and judged."""

from pathlib import Path

import pytest
from once import made_once
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

    def make(folder: Path) -> None:
        write_splits(Data(image_size=SIZE, train=60, evaluator=60, heldout=30), folder, processes=1)
        config = Evaluator(image_size=SIZE, width=32, text_width=16, heads=2, images=120, batch=20, precision="float32")
        data, out = folder / "evaluator.json", folder / "local.safetensors"
        run_stage(fit_evaluator, config=config.model_dump_json(), data=data, out=out)

    return made_once(tmp_path_factory, "portraits", make)


@pytest.fixture(scope="session")
def workshop(portraits, tmp_path_factory):
    """Everything made once."""
    return Workshop(tmp_path_factory.mktemp("workshop") / "results", portraits)
