"""What the answers of the validation suite are worth, on answers that are right, wrong, and copied."""

import numpy as np
import pytest
import torch
from distances import Given

from asymflow.metrics.suite import Judge, answers, edited_accuracy, kept_accuracy, memories


class ByColour(Judge):
    """Sees mean colours: features are the channel means, distances their absolute difference, and each is an attribute."""

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
        return [
            {"glasses": ("none", "sunglasses")[red], "skin": ("fair", "dark")[green], "hat": ("none", "cap")[blue]}
            for red, green, blue in (self.features(images) > 0).int().tolist()
        ]


def pictures(count, seed):
    colours = torch.randint(256, (count, 3, 1, 1), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    return colours.expand(-1, -1, 4, 4).contiguous()


def plain(*colours):
    """An image of each colour."""
    return torch.tensor(colours, dtype=torch.uint8)[:, :, None, None].expand(-1, -1, 4, 4)


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
    read = [{"glasses": "sunglasses", "skin": "fair"}] * 2
    assert edited_accuracy(read, EDITS).tolist() == [1.0, 0.0]
    assert kept_accuracy(read, EDITS).tolist() == [1.0, 0.0]


def test_each_number_is_that_of_the_images_that_its_name_says():
    drawn = {
        "reconstruction": plain((0, 0, 0), (30, 0, 0)),
        "text": plain((9, 9, 9), (0, 120, 0)),
        "swap": plain((255, 255, 255), (255, 0, 0)),
        "original": plain((200, 10, 110), (10, 80, 30)),
        "edited": plain((200, 10, 140), (10, 20, 30)),
        "told": plain((10, 200, 10), (200, 10, 10)),
        "retold": plain((40, 20, 10), (230, 200, 30)),
    }
    asked = {
        "reconstruction": plain((3, 3, 3), (0, 0, 0)),
        "text": plain((0, 0, 0), (0, 0, 0)),
        "swap": plain((255, 255, 0), (255, 0, 0)),
        "original": plain((99, 99, 99), (88, 88, 88)),
        "edited": plain((200, 10, 125), (10, 23, 30)),
        "told": plain((77, 77, 77), (66, 66, 66)),
        "retold": plain((55, 55, 55), (44, 44, 44)),
    }
    content = plain((0, 0, 255), (0, 255, 255))
    edits = [
        {"attribute": "glasses", "after": "sunglasses", "kept": {"skin": "fair", "hat": "none"}},
        {"attribute": "skin", "after": "dark", "kept": {"glasses": "none", "hat": "none"}},
    ]
    expected = {
        "recon_lpips_local": [3, 10],
        "text_lpips_local": [9, 40],
        "manipulation_lpips_local": [10, 20],
        "counterfactual_lpips_local": [5, 1],
        "told_manipulation_lpips_local": [70, 80],
        "swap_embedding_similarity_local": [1 / 3, 1],
        "swap_caption_similarity_local": [-1 / 3, -1],
        "edited_accuracy_local": [1, 0],
        "kept_accuracy_local": [0.5, 1],  # a cap where there was none
        "told_edited_accuracy_local": [0, 1],
        "told_kept_accuracy_local": [0.5, 1],  # dark before, fair after
    }
    scores = answers(drawn, asked, content, edits, ByColour())
    assert scores.keys() == expected.keys()
    for name, values in expected.items():
        assert scores[name].tolist() == pytest.approx(values, abs=1e-6), name


@pytest.mark.parametrize("batch", [1, 3])
def test_lpips_is_given_black_as_minus_one_and_white_as_one_however_many_at_once(evaluator, batch):
    black, dark, white = (0, 0, 0), (51, 51, 51), (255, 255, 255)
    one, other = plain(black, white, black, dark), plain(white, black, black, white)
    assert Judge(evaluator, Given(), batch).lpips(one, other).tolist() == pytest.approx([9, -9, -11, 9.4], rel=1e-6)


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


def test_the_nearest_by_lpips_may_be_the_third_most_similar():
    """The two brightest images have more nearly the colour of the sample, but are further from it."""
    drawn, brightest = plain((200, 200, 200)), [(255, 255, 245), (255, 255, 255)]
    scores, numbers = memories(
        drawn, plain((200, 200, 185), *brightest), plain((200, 200, 170), *brightest), ByColour()
    )
    assert numbers == {"train": [2], "heldout": [2]}
    assert (scores["nearest_train_lpips_local"], scores["nearest_heldout_lpips_local"]) == (5, 10)
    assert scores["nearest_train_similarity_local"] == pytest.approx(1)
    assert scores["memorised_lpips_local"] == 5


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
