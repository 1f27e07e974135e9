"""What a judge, and the table of pairs, read beside the samples has to be of the data set that they are compared with."""

import json

import pytest
import torch

from asymflow import documents, tensors
from asymflow.config.data import Data
from asymflow.config.scoring import Scoring
from asymflow.config.suite import Suite as SuiteConfig
from asymflow.data.reader import ShardReader
from asymflow.data.shards import write_splits
from asymflow.data.suite import Suite
from asymflow.judges.evidence import Evidence
from asymflow.metrics.perceptual import untrained
from asymflow.stages import pairs


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two data sets, and for each what else a judge reads."""
    made = []
    for seed in (0, 1):
        folder = tmp_path_factory.mktemp(f"data{seed}")
        write_splits(Data(image_size=32, train=4, evaluator=4, heldout=4, seed=seed), folder, 1)
        name = ShardReader(folder / "train.json").set
        documents.write(folder / "prompts.json", "prompts", {"prompts": [{"caption": "a portrait"}], "data": name})
        empty, none = torch.zeros(1, 2), torch.zeros(0, 3, 32, 32, dtype=torch.uint8)
        Suite([], [], {}, empty, none, none, 32, "heldout", name).save(folder / "suite.safetensors")
        described = {"config": {"backbone": "alex"}, "data": name}
        weights = untrained("alex").state_dict()
        tensors.save(folder / "perceptual.safetensors", "perceptual network", weights, described)
        made.append((folder, name))
    return made


def evidence(folder, name):
    """All files of one folder, beside a reference of the named data set."""
    read = ("prompts.json", "suite.safetensors", "train.json", "heldout.json", "perceptual.safetensors")
    samples = folder / "samples.npy", folder / "samples.json"
    judged = Evidence(
        *samples, "local", folder / "reference.safetensors", SuiteConfig(), *(folder / file for file in read)
    )
    judged.__dict__["_reference"] = (None, {"data": name, "scoring": Scoring().model_dump()})
    return judged


@pytest.mark.parametrize("read", ["prompts", "suite", "train", "heldout", "distance"])
def test_a_file_of_another_data_set_is_named_and_refused(folders, read):
    (folder, name), (_, another) = folders
    assert getattr(evidence(folder, name), read) is not None
    with pytest.raises(
        ValueError, match=rf"{folder}/\w+\.\w+ was made from other images .* than {folder}/reference.safetensors"
    ):
        getattr(evidence(folder, another), read)


def test_the_table_of_pairs_refuses_a_perceptual_network_of_another_data_set(folders, tmp_path, monkeypatch):
    (folder, _), (_, another) = folders
    tensors.save(tmp_path / "local.safetensors", "evaluator", {"weight": torch.zeros(1)}, {"data": another})
    study = {
        "name": "lift",
        "reference": "a",
        "judges": [],
        "seeds": [0],
        "arms": {},
        "samplings": {},
        "files": {},
        "configurations": {},
    }
    files = {
        "perceptual": folder / "perceptual.safetensors",
        "evaluator": tmp_path / "local.safetensors",
        "out": tmp_path / "pairs.csv",
    }
    words = [word for name, file in files.items() for word in (f"--{name}", str(file))]
    monkeypatch.setattr("sys.argv", ["pairs", "--study", json.dumps(study), *words])
    with pytest.raises(ValueError, match=r"perceptual\.safetensors was made from other images"):
        pairs.main()
