import pytest
import torch

from asymflow.metrics.attributes import attribute_accuracy
from asymflow.metrics.probe import Probe

RED, GREEN = {"hair": "red", "shirt": "green"}, {"hair": "green", "shirt": "green"}


def test_every_named_attribute_counts_once():
    assert attribute_accuracy([RED], [RED]) == 1
    assert attribute_accuracy([RED, RED], [GREEN, RED]) == 0.75
    assert attribute_accuracy([{"hair": "red"}, {"shirt": "red", "hair": "green"}], [GREEN, GREEN]) == 1 / 3


def test_what_a_caption_does_not_name_does_not_count():
    assert attribute_accuracy([{"shirt": "green"}, {}], [RED, RED]) == 1


@pytest.mark.parametrize(
    ("named", "read", "message"),
    [
        ([RED], [], "1 captions but 0 images"),
        ([{"hat": "red"}], [RED], "captions name hat, which no probe"),
        ([{}], [RED], "nothing to be accurate about"),
    ],
)
def test_what_cannot_be_measured_is_an_error(named, read, message):
    with pytest.raises(ValueError, match=message):
        attribute_accuracy(named, read)


def test_the_evaluator_reads_its_probes(evaluator, images):
    weight = torch.randn(2, evaluator.offset.shape[0], generator=torch.Generator().manual_seed(0))
    evaluator.probes["hair"], evaluator.values["hair"] = Probe(weight, torch.zeros(2)), ["red", "green"]
    read = evaluator.attributes(images)
    expected = (evaluator.features(images) @ weight.T).argmax(1)
    assert [one["hair"] for one in read] == [["red", "green"][i] for i in expected] and set(read[0]) == {"hair"}
