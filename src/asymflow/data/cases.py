"""Making the cases of prx-tg's validation suite: which images are asked for, and how their captions are edited."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from asymflow.config.suite import Suite as Config
from asymflow.data import portraits
from asymflow.data.reader import ShardReader
from asymflow.data.rows import Rows, RowSource, concatenated
from asymflow.data.sources import portrait_of
from asymflow.data.suite import Case
from asymflow.randomness import generator

EDITED = ("hair_colour", "hair_length", "glasses", "expression", "shirt_colour", "background_pattern")
# prx-tg's word pairs, for sets whose edits cannot be drawn; whole words only
WORDS = (
    ("slender", "muscular"), ("pale", "tan"), ("woman", "person"), ("long", "short"), ("dark", "light"), ("young", "mature"),
    ("facing right", "facing left"), ("directly at", "away from"),
)  # fmt: skip
TEXT, ALL = ("caption",), ("caption", "embedding", "patches")  # conditions that are shown


@dataclass(frozen=True)
class Edit:
    """A caption before and after one attribute, or one word, is another."""

    image: int
    before: str
    after: str
    caption: str  # after the edit
    attribute: str  # "" where words were replaced
    kept: dict[str, str]  # all other attributes

    def counterfactual(self, data: ShardReader) -> UInt8[Tensor, "3 h w"]:
        """The image with the edit made, where it can be drawn; else the image as it is."""
        person = portrait_of(data.record(self.image)["source"])
        if person is None:
            return data[self.image][0]
        drawn = portraits.render(portraits.edit(person, **{self.attribute: self.after}), data.image_size)
        return torch.from_numpy(drawn).permute(2, 0, 1)


def edits(data: ShardReader, count: int, seed: int) -> list[Edit]:
    """An edit of each of the first `count` images that have one: of portraits a named attribute, else a pair of words.

    Raises ValueError when too few images have one.
    """
    chosen: list[Edit] = []
    for image in range(len(data)):
        record = data.record(image)
        person = portrait_of(record["source"])
        edit = _of_words(image, record["caption"]) if person is None else _of_attribute(image, person, record, seed)
        if edit:
            chosen.append(edit)
        if len(chosen) == count:
            break
    else:
        raise ValueError(
            f"{data.path}: {len(chosen)} captions can be edited, but suite.edits asks for {count};"
            f" {'lower it, ' if chosen else ''}describe the images with words such as"
            f" {', '.join(before for before, _ in WORDS)}, or leave out the judge suite and settings that ask for cases"
        )
    return chosen


def _of_attribute(image: int, person: portraits.Portrait, record: dict[str, Any], seed: int) -> Edit | None:
    """Another value of one of the attributes that the caption names."""
    draw, options = generator(seed, image), [name for name in EDITED if name in record["named"]]
    if not options:
        return None
    attribute = options[draw.integers(len(options))]
    before = getattr(person, attribute)
    after = str(draw.choice([value for value in portraits.ATTRIBUTES[attribute] if value != before]))
    caption = portraits.caption(portraits.edit(person, **{attribute: after}), mention=[attribute])
    kept = {name: value for name, value in portraits.attributes(person).items() if name != attribute}
    return Edit(image, before, after, caption, attribute, kept)


def _of_words(image: int, caption: str) -> Edit | None:
    """The first of the word pairs whose first half the caption has."""
    for before, after in WORDS:
        changed = re.sub(rf"\b{before}\b", after, caption)
        if changed != caption:
            return Edit(image, before, after, changed, "", {})
    return None


def listed(config: Config, edits: list[Edit]) -> list[Case]:
    """All cases, kind by kind. Those of one kind have noises of their own; an edit has its original's."""
    cases = [Case("text", i, i, i, TEXT) for i in range(config.texts)]
    cases += [Case("reconstruction", i, i, i, ALL) for i in range(config.reconstructions)]
    cases += [Case("swap", i + 1, i, i, ALL) for i in range(config.swaps)]
    cases += [Case("original", edit.image, edit.image, i, ALL) for i, edit in enumerate(edits)]
    cases += [Case("edited", edit.image, edit.image, i, ALL, edit=i) for i, edit in enumerate(edits)]
    cases += [Case("told", edit.image, edit.image, i, TEXT) for i, edit in enumerate(edits)]
    cases += [Case("retold", edit.image, edit.image, i, TEXT, edit=i) for i, edit in enumerate(edits)]
    return cases + [Case("memory", i, i, i, TEXT, source="train") for i in range(config.memories)]


def conditions(cases: list[Case], sources: Mapping[str, tuple[RowSource, RowSource]], edited: Rows) -> Rows:
    """What each case is shown: rows of captions and of images by source; `edited` has the captions of the edits as tokens."""
    rows = []
    for case in cases:
        captions, images = sources[case.source]
        caption = captions.read([case.caption]) if case.edit < 0 else {k: v[[case.edit]] for k, v in edited.items()}
        seen = images.read([case.image])
        rows.append(
            {
                "text": caption["text"].cpu(),  # of the reader's device, where they are encoded as they are wanted
                "mask": caption["mask"].cpu(),
                "embedding": seen["embedding"],
                "patches": seen["patches"],
            }
        )
    return concatenated(rows)
