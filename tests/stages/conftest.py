"""What the stages of the text track run on: small portraits, and a quick evaluator."""

import pytest

from asymflow.config.data import Data
from asymflow.config.evaluator import Evaluator
from asymflow.data.shards import write_splits
from asymflow.stages import fit_evaluator


@pytest.fixture(scope="session")
def run():
    """Runs a stage in this process, as a rule would."""
    return run_stage


def run_stage(stage, **options):
    words = []
    for name, value in options.items():
        given = value if isinstance(value, list) else [value]
        words += [f"--{name.replace('_', '-')}", *map(str, given)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", [stage.__name__, *words])
        stage.main()


@pytest.fixture(scope="session")
def portraits(tmp_path_factory):
    """Indexes and shards of portraits of 32 pixels, and an evaluator that has hardly learned anything."""
    folder = tmp_path_factory.mktemp("portraits")
    write_splits(Data(image_size=32, train=60, evaluator=60, heldout=30), folder, processes=1)
    config = Evaluator(image_size=32, width=32, text_width=16, heads=2, images=120, batch=20, precision="float32")
    run_stage(
        fit_evaluator, config=config.model_dump_json(), data=folder / "evaluator.json", out=folder / "local.safetensors"
    )
    return folder
