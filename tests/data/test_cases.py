"""The validation suite's cases: edits that can be drawn, and noise that pairs them."""

import json
from collections import Counter

import pytest
import torch
from PIL import Image

from asymflow.config.data import Data
from asymflow.config.suite import Suite as Config
from asymflow.data import cases, portraits, rows
from asymflow.data.cases import EDITED, Edit, conditions, edits, listed
from asymflow.data.reader import ShardReader
from asymflow.data.rows import RowReader
from asymflow.data.shards import write_splits
from asymflow.data.sources import portrait_of
from asymflow.data.suite import Case

CONFIG = Config(texts=6, reconstructions=4, swaps=3, edits=5, memories=2)


@pytest.fixture(scope="module")
def heldout(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cases")
    write_splits(Data(image_size=32, train=4, evaluator=1, heldout=20), folder, processes=1)
    return ShardReader(folder / "heldout.json")


def test_an_edit_changes_one_attribute_that_its_caption_names(heldout):
    for edit in edits(heldout, 10, seed=0):
        record = heldout.record(edit.image)
        assert edit.attribute in EDITED and edit.attribute in record["named"]
        assert edit.before == record["attributes"][edit.attribute] != edit.after
        assert edit.kept == {k: v for k, v in record["attributes"].items() if k != edit.attribute}
        assert edit.caption != record["caption"]


def test_the_counterfactual_is_the_same_person_with_that_attribute_changed(heldout):
    edit = next(e for e in edits(heldout, 15, seed=0) if e.attribute == "glasses")
    person = portrait_of(heldout.record(edit.image)["source"])
    expected = portraits.render(portraits.edit(person, glasses=edit.after), 32)
    assert torch.equal(edit.counterfactual(heldout).permute(1, 2, 0), torch.from_numpy(expected))
    assert not torch.equal(edit.counterfactual(heldout), heldout[edit.image][0])


def test_the_same_seed_edits_alike_and_another_otherwise(heldout):
    assert edits(heldout, 10, seed=0) == edits(heldout, 10, seed=0) != edits(heldout, 10, seed=1)


def test_words_are_replaced_whole():
    made = cases._of_words(3, "A woman along a long wall")
    assert made == Edit(3, "woman", "person", "A person along a long wall", "", {})
    assert cases._of_words(3, "walking along") is None


def test_too_few_captions_to_edit_is_an_error(heldout):
    with pytest.raises(
        ValueError, match=r"heldout.json: \d+ captions can be edited, but suite.edits asks for 50; lower it"
    ):
        edits(heldout, 50, seed=0)


def test_where_no_caption_can_be_edited_nobody_is_told_to_ask_for_fewer(tmp_path):
    for i in range(3):
        (tmp_path / "photos" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (60 * i, 0, 0)).save(tmp_path / "photos" / "ab"[i % 2] / f"{i}.png")
    data = Data(source="folder", path=str(tmp_path / "photos"), image_size=32, train=1, evaluator=0, heldout=2)
    write_splits(data, tmp_path, processes=1)
    with pytest.raises(
        ValueError, match=r"heldout.json: 0 captions can be edited.*or leave out the judge suite"
    ) as said:
        edits(ShardReader(tmp_path / "heldout.json"), 1, seed=0)
    assert "lower it" not in str(said.value)


def test_an_edit_begins_with_its_original_s_noise_and_shows_the_edited_caption(heldout):
    listed_cases = listed(CONFIG, edits(heldout, CONFIG.edits, seed=0))
    originals, edited = ([case for case in listed_cases if case.kind == kind] for kind in ("original", "edited"))
    assert [case.noise for case in originals] == [case.noise for case in edited]
    assert [case.image for case in originals] == [case.image for case in edited]
    assert [case.edit for case in edited] == list(range(5)) and {case.edit for case in originals} == {-1}


def test_a_swap_shows_one_image_s_caption_and_another_s_embeddings(heldout):
    swaps = [case for case in listed(CONFIG, []) if case.kind == "swap"]
    assert len(swaps) == 3 and all(case.image != case.caption for case in swaps)


def test_text_and_memory_cases_show_the_caption_alone_and_memories_are_training_images():
    listed_cases = listed(CONFIG, [Edit(3, "long", "short", "short hair", "", {})])
    for case in listed_cases:
        alone = case.kind in ("text", "told", "retold", "memory")
        assert case.shown == (("caption",) if alone else ("caption", "embedding", "patches"))
        assert (case.source == "train") == (case.kind == "memory")
    expected = {"text": 6, "reconstruction": 4, "swap": 3, "original": 1, "edited": 1, "told": 1, "retold": 1}
    assert Counter(case.kind for case in listed_cases) == expected | {"memory": 2}


def test_a_case_is_shown_the_caption_and_the_image_that_it_names(tmp_path):
    """Rows say what they are: captions of held-out images are 0 to 4, of training images 10 to 14, of edits 20 to 21."""

    def captions(first, count):
        n = torch.arange(first, first + count)
        return {"text": n[:, None, None].expand(-1, 3, 2).float(), "mask": n[:, None] > torch.tensor([1, 11, 20])}

    def images(first, count):
        n = -torch.arange(first, first + count).float()
        face = torch.full((count, 4), torch.nan)  # which no case is shown
        return {"embedding": n[:, None].expand(-1, 5), "patches": n[:, None, None].expand(-1, 4, 3), "face": face}

    sources = {}
    for source, first in (("", 0), ("train", 10)):
        for name, made in (("captions", captions), ("images", images)):
            rows.write(tmp_path / f"{name}{source}.json", [made(first, 5)], {})
        sources[source] = tuple(RowReader(tmp_path / f"{name}{source}.json") for name in ("captions", "images"))
    asked = [
        Case("text", 3, 3, 0, ("caption",)),
        Case("swap", 4, 1, 0, ("caption", "embedding", "patches")),
        Case("edited", 2, 2, 0, ("caption", "embedding", "patches"), edit=1),
        Case("memory", 4, 4, 0, ("caption",), source="train"),
        Case("retold", 1, 1, 0, ("caption",), edit=0),
    ]
    rows_shown = conditions(asked, sources, captions(20, 2))
    assert rows_shown.keys() == {"text", "mask", "embedding", "patches"}
    numbers, seen = torch.tensor([3, 1, 21, 14, 20]), -torch.tensor([3, 4, 2, 14, 1]).float()
    assert torch.equal(rows_shown["text"], numbers[:, None, None].expand(-1, 3, 2).float())
    assert torch.equal(rows_shown["mask"], numbers[:, None] > torch.tensor([1, 11, 20]))
    assert torch.equal(rows_shown["embedding"], seen[:, None].expand(-1, 5))
    assert torch.equal(rows_shown["patches"], seen[:, None, None].expand(-1, 4, 3))


def test_sources_that_are_no_portraits_are_told_apart():
    assert portrait_of("portrait 3/14") == portraits.portrait(3, 14)
    assert portrait_of("left/portrait 3.png") is None
    assert json.dumps(portraits.attributes(portrait_of("portrait 0/0")))
