"""What the answers of the validation suite are worth, on answers that are right, wrong, and copied."""

import numpy as np
import pytest
import torch

from asymflow.metrics.suite import Judge, answers, edited_accuracy, kept_accuracy, memories


class ByColour(Judge):
    """Sees mean colours: features are the channel means, distances their absolute difference."""

    def __init__(self):
        pass

    class evaluator:  # noqa: N801
        name = "local"

    class distance:  # noqa: N801
        name = "lpips_local"

    reads_attributes = True

    def features(self, images):
        return images.float().mean((2, 3)) - 127.5

    def lpips(self, one, other):
        return (self.features(one) - self.features(other)).abs().mean(1).double().numpy()

    def similarity(self, one, other):
        return torch.nn.functional.cosine_similarity(self.features(one), self.features(other), dim=1).double().numpy()

    def attributes(self, images):
        return [{"glasses": "sunglasses", "skin": "fair"} for _ in images]


def pictures(count, seed):
    colours = torch.randint(256, (count, 3, 1, 1), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    return colours.expand(-1, -1, 4, 4).contiguous()


EDITS = [
    {"attribute": "glasses", "after": "sunglasses", "kept": {"skin": "fair"}},
    {"attribute": "glasses", "after": "none", "kept": {"skin": "dark"}},
]
WANTED = {
    kind: pictures(2, i)
    for i, kind in enumerate(("reconstruction", "text", "swap", "original", "edited", "told", "retold"))
}
CONTENT = pictures(2, 9)


def test_the_wanted_images_are_the_best_answers():
    scores = answers(WANTED, WANTED, CONTENT, EDITS, ByColour())
    for name in ("recon_lpips_local", "text_lpips_local", "counterfactual_lpips_local"):
        assert (scores[name] == 0).all()
    assert scores["swap_embedding_similarity_local"] == pytest.approx(1)
    assert (scores["swap_caption_similarity_local"] < 1).all()


def test_manipulation_is_how_much_an_edit_changes_whatever_is_wanted():
    drawn = WANTED | {"edited": WANTED["original"]}
    assert (answers(drawn, WANTED, CONTENT, EDITS, ByColour())["manipulation_lpips_local"] == 0).all()


def test_edited_and_kept_attributes_are_read_case_by_case():
    read = ByColour().attributes(WANTED["edited"])
    assert edited_accuracy(read, EDITS).tolist() == [1.0, 0.0]
    assert kept_accuracy(read, EDITS).tolist() == [1.0, 0.0]


def test_edits_of_words_have_no_attributes_to_read():
    scores = answers(WANTED, WANTED, CONTENT, [edit | {"attribute": ""} for edit in EDITS], ByColour())
    assert not [name for name in scores if "accuracy" in name]


def test_copies_are_nearer_to_training_images_and_strangers_to_neither():
    train, heldout = pictures(30, 1), pictures(30, 2)
    copied, _ = memories(train[:5], train, heldout, ByColour())
    assert all(values.shape == (5,) for values in copied.values())
    assert (copied["nearest_train_lpips_local"] == 0).all() and (copied["memorised_lpips_local"] > 0).all()
    assert np.allclose(copied["nearest_train_similarity_local"], 1)
    strangers, _ = memories(pictures(40, 3), train, heldout, ByColour())
    assert abs(strangers["memorised_similarity_local"].mean()) < 0.1 < copied["memorised_similarity_local"].mean() + 0.1


def test_the_numbers_of_the_nearest_images_are_those_of_the_most_similar():
    train, heldout = pictures(30, 1), pictures(30, 2)
    drawn = torch.cat([train[[7, 0]], heldout[[3, 3, 29]]])
    scores, numbers = memories(drawn, train, heldout, ByColour())
    assert numbers["train"][:2] == [7, 0] and numbers["heldout"][2:] == [3, 3, 29]
    for name, images in (("train", train), ("heldout", heldout)):
        assert len(numbers[name]) == 5
        similarities = ByColour().similarity(drawn, images[numbers[name]])
        # both are cosines of the same float32 features, by two formulas
        np.testing.assert_allclose(scores[f"nearest_{name}_similarity_local"], similarities, atol=1e-6)


def test_what_is_memorised_is_the_difference_between_both_sets_and_more_is_always_worse():
    scores, _ = memories(pictures(11, 3), pictures(30, 1), pictures(30, 2), ByColour())
    similarity = [scores[f"nearest_{name}_similarity_local"] for name in ("train", "heldout")]
    lpips = [scores[f"nearest_{name}_lpips_local"] for name in ("train", "heldout")]
    assert np.array_equal(scores["memorised_similarity_local"], similarity[0] - similarity[1])
    assert np.array_equal(scores["memorised_lpips_local"], lpips[1] - lpips[0])
