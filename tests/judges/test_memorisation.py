"""Whether a run draws what it was trained on, judged so that following a caption is no copying."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from distances import Distance

from asymflow.config.data import Data
from asymflow.config.scoring import Scoring
from asymflow.config.suite import Suite as SuiteConfig
from asymflow.data.cases import listed
from asymflow.data.reader import ShardReader
from asymflow.data.shards import write_splits
from asymflow.data.suite import Suite
from asymflow.judges import memorisation
from asymflow.judges.evidence import Evidence
from asymflow.metrics.evaluators import Evaluator, Look

CONFIG = SuiteConfig(texts=20, reconstructions=1, swaps=1, edits=1, memories=16, resamples=50)


class ByPixels(Evaluator):
    """Sees every pixel, and little else."""

    name = "local"

    def look(self, images):
        return Look(images.flatten(1).float() - 127.5, torch.ones(len(images), 1))


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Training and held-out portraits, all different."""
    folder = tmp_path_factory.mktemp("data")
    write_splits(Data(image_size=32, train=40, evaluator=4, heldout=40), folder, 1)
    return {name: ShardReader(folder / f"{name}.json") for name in ("train", "heldout")}


def judged(sets, drawn, set_images=None, **changes):
    """The card of a run that draws for each case what `drawn` gives for its kind and image."""
    none = torch.zeros(0, 3, 32, 32, dtype=torch.uint8)
    suite = replace(Suite(listed(CONFIG, []), [], {}, torch.zeros(1, 2), none, none, 32, "heldout", "a set"), **changes)
    samples = torch.stack([drawn(case.kind, case.image) for case in suite.cases]).permute(0, 2, 3, 1).numpy()
    evidence = Evidence(*[sets["train"].path] * 2, "local", sets["train"].path, CONFIG)
    evidence.__dict__.update(
        {
            "suite": suite, "samples": samples, "summary": {"asks": "cases", "set_images": set_images},
            "evaluator": ByPixels(), "distance": Distance(), **sets, "_reference": (None, {"scoring": Scoring().model_dump()}),
        }
    )  # fmt: skip
    return memorisation.judge(evidence)


def test_a_run_that_shows_what_it_is_asked_for_has_copied_nothing(sets):
    """A caption of a training image asks for something near to that image, and one of a held-out image near to that."""
    card = judged(sets, lambda kind, image: sets["train" if kind == "memory" else "heldout"][image][0])
    asked_of_train = np.mean(card["per_case"]["memorised_similarity_local"][: CONFIG.memories])
    assert asked_of_train > 0.1 and card["samples"] == 2 * CONFIG.memories
    assert abs(card["metrics"]["memorised_similarity_local"]) < 0.1 * asked_of_train


def test_a_run_that_draws_training_images_whatever_it_is_asked_for_has_copied_them(sets):
    card = judged(sets, lambda kind, image: sets["train"][image][0])
    metrics = card["metrics"]
    assert metrics["nearest_train_similarity_local"] == pytest.approx(1)
    assert metrics["memorised_similarity_local_low"] > 0.1 and metrics["memorised_lpips_local"] > 0


def test_only_captions_of_images_that_are_searched_are_asked_about(sets):
    card = judged(sets, lambda kind, image: sets["train"][image][0], set_images=5)
    assert card["samples"] == 10 and card["searched_images"] == 5 and max(card["nearest"]["heldout"]) < 5


def test_a_suite_without_as_many_held_out_captions_is_refused(sets):
    few = listed(CONFIG.model_copy(update={"texts": 3}), [])
    for changes, found in (({"split": "train"}, 0), ({"cases": few}, 3)):
        with pytest.raises(ValueError, match=rf"has {found} captions of held-out images, but .* with 16 of training"):
            judged(sets, lambda kind, image: sets["train"][image][0], **changes)
