import json
import subprocess
import sys

import pytest
from pydantic import ValidationError

from asymflow.config.data import Data


def test_the_default_draws_portraits_in_the_published_numbers():
    data = Data()
    assert (data.source, data.image_size) == ("portraits", 64)
    assert (data.train, data.evaluator, data.heldout) == (12_000, 4_000, 2_000)


@pytest.mark.parametrize(
    "fields, complaint",
    [
        ({"source": "folder"}, "path must say where"),
        ({"source": "webdataset"}, "path must say where"),
        ({"source": "torchvision", "path": "cifar"}, "needs name"),
        ({"source": "torchvision", "name": "CIFAR10"}, "path must say where"),
        ({"path": "photos"}, "would be ignored"),
        ({"source": "folder", "path": "photos", "name": "CIFAR10"}, "belongs to source 'torchvision'"),
        ({"source": "folder", "path": "photos", "split": "test"}, "belongs to source 'torchvision'"),
        ({"source": "webdataset", "path": "a.tar", "download": True}, "belongs to source 'torchvision'"),
        ({"train": None}, "no end to portraits"),
        ({"image_size": 48}, "multiples of 32"),
        ({"source": "folder", "path": "http://host/photos"}, "reads a local folder"),
        ({"source": "webdataset", "path": "pipe:cat a.tar"}, "no command is ever run"),
        ({"source": "webdataset", "path": "PIPE:cat a.tar"}, "no command is ever run"),
        ({"source": "webdataset", "path": "ftp://host/a.tar"}, "scheme 'ftp'"),
        ({"shapes": [[48, 96]]}, "portraits are drawn square, so shapes would have no images: leave it out"),
        (
            {"source": "folder", "path": "photos", "shapes": [[48, 96], [32, 64]]},
            "32 x 64, whose aspect ratio is that of 48 x 96",
        ),
        (
            {"source": "folder", "path": "photos", "shapes": [[32, 32]]},
            "32 x 32, whose aspect ratio is that of 64 x 64",
        ),
        ({"source": "folder", "path": "photos", "shapes": [[48]]}, "Field required"),
        ({"source": "folder", "path": "photos", "shapes": [[0, 48]]}, "greater than 0"),
        ({"train": 0}, "greater than 0"),
        ({"heldout": -1}, "greater than or equal to 0"),
        ({"rejects_tolerated": 1.0}, "less than 1"),
        ({"image_sise": 64}, "Extra inputs"),
    ],
)
def test_an_impossible_combination_is_refused_with_the_reason(fields, complaint):
    with pytest.raises(ValidationError, match=complaint):
        Data(**fields)


@pytest.mark.parametrize("path", ["a.tar", "s-{000..099}.tar", "https://host/a.tar", "file:///a.tar", r"C:\sets\a.tar"])
def test_paths_and_urls_that_can_be_read_are_accepted(path):
    assert Data(source="webdataset", path=path).path == path


def test_a_folder_may_give_all_that_is_left_to_training():
    assert Data(source="folder", path="photos", train=None, image_size=48).train is None


def test_every_field_is_explained():
    assert all(field.description for field in Data.model_fields.values())


def test_the_section_imports_no_torch():
    code = "import json, sys, asymflow.config.data; print(json.dumps('torch' in sys.modules))"
    assert not json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
