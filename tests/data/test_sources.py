import numpy as np
import pytest

from asymflow.config.data import Data
from asymflow.data import portraits
from asymflow.data.records import unique
from asymflow.data.sources import list_portraits, listing, split_counts


def folder_data(**fields) -> Data:
    return Data(source="folder", path="photos", **fields)


def test_portraits_are_listed_with_class_caption_and_attributes(tmp_path):
    data = Data(seed=3, image_size=32, train=5, evaluator=4, heldout=2)
    contents = listing(data, tmp_path)
    assert len(contents.records) == 11
    record, person = contents.records[7], portraits.portrait(3, 7)
    assert contents.classes[portraits.label(person)] == record.class_name
    assert record.caption == portraits.caption(person)
    assert record.attributes == portraits.attributes(person)
    assert np.array_equal(np.asarray(record.picture.open()), portraits.render(person, 32))


def test_portraits_have_distinct_keys():
    assert not unique(list_portraits(0, 30, 32).records)[1]


def test_the_held_out_split_is_filled_first_and_training_takes_the_rest():
    assert split_counts(folder_data(train=None, evaluator=3, heldout=2), 10) == {
        "heldout": 2,
        "evaluator": 3,
        "train": 5,
    }
    assert split_counts(folder_data(train=4, evaluator=3, heldout=2), 10) == {"heldout": 2, "evaluator": 3, "train": 4}


@pytest.mark.parametrize("train, asked", [(6, "6"), (None, "at least 1")])
def test_too_few_images_are_an_error_with_the_counts(train, asked):
    expected = f"there are 5 usable images, but the configuration asks for {asked} for data.train, 3 for .* and 2 for"
    with pytest.raises(ValueError, match=expected):
        split_counts(folder_data(train=train, evaluator=3, heldout=2), 5)
