"""Whether each image is compared with the caption that it was drawn for."""

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from asymflow.config.evaluator import Evaluator as Config
from asymflow.config.suite import Suite as SuiteConfig
from asymflow.judges import captions
from asymflow.judges.evidence import Evidence
from asymflow.metrics.evaluators import Evaluator, LocalEvaluator
from asymflow.metrics.text import OpenClip, TextTower
from asymflow.metrics.tower import ImageTower, View

SIZE, CAPTIONS = 8, 10


def embedded(numbers):
    """A direction of its own for each number, whatever its length."""
    numbers = torch.as_tensor(numbers).long()
    return 3.0 * one_hot(numbers, CAPTIONS).float()


class Reads(TextTower, OpenClip):
    """Reads the number that a caption is, and the one that all pixels of an image are."""

    device = torch.device("cpu")

    def __init__(self):
        pass

    def embeddings(self, captions):
        return embedded([int(caption) for caption in captions])

    def images(self, images):
        return embedded(images[:, 0, 0, 0])


class Sees(ImageTower):
    """The same of pixels in [-1, 1]."""

    def __init__(self):
        torch.nn.Module.__init__(self)

    def view(self, pixels):
        return View([], pixels.flatten(2), embedded(((pixels[:, 0, 0, 0] + 1) * 127.5).round()))


class Local(LocalEvaluator):
    """The evaluator that is trained here, which can name the number too."""

    def attributes(self, images):
        return [{"number": str(number)} for number in images[:, 0, 0, 0].tolist()]


class Published(Evaluator):
    """Any other evaluator."""


def local():
    return Local(Sees(), Config(image_size=SIZE, patch_size=4), torch.zeros(1), torch.ones(1), {}, {})


@pytest.fixture
def judged(monkeypatch, tmp_path):
    """judged(evaluator, numbers) -> the card of images of these numbers, with the captions 0 to 9, looked at by threes."""
    for network in (TextTower, OpenClip):
        monkeypatch.setattr(network, "load", lambda *_: Reads())
    monkeypatch.setattr(captions, "BATCH", 3)

    def card(evaluator, numbers):
        samples = np.array(numbers, dtype=np.uint8)[:, None, None, None] * np.ones((SIZE, SIZE, 3), dtype=np.uint8)
        prompts = [{"caption": str(number), "named": {"number": str(number)}} for number in range(CAPTIONS)]
        files = [tmp_path / f"{name}.json" for name in ("samples", "summary")]
        evidence = Evidence(
            *files, "local", tmp_path / "reference", SuiteConfig(), prompts_path=tmp_path / "prompts.json"
        )
        evidence.__dict__.update({"samples": samples, "prompts": prompts, "evaluator": evaluator})
        return captions.judge(evidence)

    return card


@pytest.mark.parametrize(("evaluator", "metric"), [(local, "clip_local"), (Published, "clip")])
def test_images_are_judged_by_the_first_captions_in_their_order(judged, evaluator, metric):
    card = judged(evaluator(), range(7))
    assert card["metrics"][metric] == pytest.approx(1) and card["samples"] == 7
    backwards = judged(evaluator(), range(6, -1, -1))
    assert backwards["metrics"][metric] == pytest.approx(1 / 7), "the one in the middle is in its place"
    assert judged(evaluator(), range(3, 10))["metrics"][metric] == pytest.approx(0, abs=1e-6)


def test_attributes_are_those_that_the_caption_of_the_same_image_names(judged):
    assert judged(local(), range(7))["metrics"]["attribute_accuracy_local"] == 1
    swapped = judged(local(), [1, 0, 2, 3, 4, 5, 6, 7])
    assert swapped["metrics"]["attribute_accuracy_local"] == pytest.approx(6 / 8)


def test_more_images_than_captions_are_an_error(judged):
    with pytest.raises(ValueError, match=r"samples.json has 11 images, but .*prompts.json has 10 captions"):
        judged(local(), range(11))
