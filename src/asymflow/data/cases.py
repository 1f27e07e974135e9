"""The cases of prx-tg's validation suite: which conditions are shown, with which noise, and which image is wanted.

reconstruction   all conditions of an image; wanted: that image
text             its caption alone; wanted: that image
swap             the caption of one image and the embeddings of another; wanted: the other
original, edited all conditions of an image, with its caption and with an edited one; wanted: the image and, where it can be
                 drawn, the same person with that attribute changed
told, retold     the same pair of captions, each alone
memory           the caption of a training image alone; wanted: that image
"""

import re
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from asymflow import tensors
from asymflow.config.suite import Suite as Config
from asymflow.data import portraits
from asymflow.data.embedded import FIELDS, Embedded, EmbeddedReader
from asymflow.data.reader import ShardReader
from asymflow.data.sources import portrait_of
from asymflow.randomness import generator

EDITED = ("hair_colour", "hair_length", "glasses", "expression", "shirt_colour", "background_pattern")
# prx-tg's word pairs, for sets whose edits cannot be drawn; whole words only
WORDS = (
    ("slender", "muscular"), ("pale", "tan"), ("woman", "person"), ("long", "short"), ("dark", "light"), ("young", "mature"),
    ("facing right", "facing left"), ("directly at", "away from"),
)  # fmt: skip
TEXT, ALL = (True, False, False, False), (True, True, True, False)  # conditions that are shown
UNPAIRED = 1 << 20  # added to the number of an edit's noise where it is not to be its original's


@dataclass(frozen=True)
class Case:
    """One image that is asked for."""

    kind: str
    image: int  # number of the image within its split that is wanted, and whose embeddings are shown
    caption: int  # number of the image within the same split whose caption is shown
    noise: int  # number of the noise that it begins with
    present: tuple[bool, bool, bool, bool]  # conditions that are shown: caption, image embedding, patch tokens, joints
    source: str = ""  # "train" for training images, else the suite's own split
    edit: int = -1  # number of the edit whose caption is shown in place of the image's own


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
    found: list[Edit] = []
    for image in range(len(data)):
        record = data.record(image)
        person = portrait_of(record["source"])
        edit = _of_words(image, record["caption"]) if person is None else _of_attribute(image, person, record, seed)
        if edit and len(found) < count:
            found.append(edit)
    if len(found) < count:
        raise ValueError(
            f"{data.path}: {len(found)} captions can be edited, but suite.edits asks for {count}; lower it, or describe the"
            f" images with words such as {', '.join(before for before, _ in WORDS)}"
        )
    return found


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
    found = [Case("text", i, i, i, TEXT) for i in range(config.texts)]
    found += [Case("reconstruction", i, i, i, ALL) for i in range(config.reconstructions)]
    found += [Case("swap", i + 1, i, i, ALL) for i in range(config.swaps)]
    found += [Case("original", edit.image, edit.image, i, ALL) for i, edit in enumerate(edits)]
    found += [Case("edited", edit.image, edit.image, i, ALL, edit=i) for i, edit in enumerate(edits)]
    found += [Case("told", edit.image, edit.image, i, TEXT) for i, edit in enumerate(edits)]
    found += [Case("retold", edit.image, edit.image, i, TEXT, edit=i) for i, edit in enumerate(edits)]
    return found + [Case("memory", i, i, i, TEXT, source="train") for i in range(config.memories)]


def conditions(
    cases: list[Case],
    sources: dict[str, EmbeddedReader],
    edited: Float[Tensor, "m l e"],
    mask: Bool[Tensor, "m l"],
) -> Embedded:
    """What each case is shown; `edited` are the captions of the edits as tokens."""
    rows = []
    for case in cases:
        of_image, of_caption = (sources[case.source].read([i]) for i in (case.image, case.caption))
        chosen = slice(case.edit, case.edit + 1)
        text, seen = (of_caption.text, of_caption.mask) if case.edit < 0 else (edited[chosen], mask[chosen])
        rows.append((text, seen, of_image.cls, of_image.patches, of_image.face))
    return Embedded(*(torch.cat(values) for values in zip(*rows, strict=True)))


@dataclass(frozen=True)
class Suite:
    """Cases with all that drawing and judging them needs."""

    cases: list[Case]
    edits: list[dict[str, Any]]
    embedded: Embedded
    wanted: UInt8[Tensor, "m 3 h w"]
    content: UInt8[Tensor, "_s 3 h w"]  # the images whose captions the swaps show
    image_size: int
    split: str

    def rows(self, kind: str) -> list[int]:
        """The numbers of the cases of one kind."""
        return [i for i, case in enumerate(self.cases) if case.kind == kind]

    def counts(self) -> dict[str, int]:
        """How many cases each kind has."""
        return dict(Counter(case.kind for case in self.cases))

    def wanted_by_kind(self) -> dict[str, UInt8[Tensor, "_k 3 h w"]]:
        """The wanted images of each kind."""
        return {kind: self.wanted[self.rows(kind)] for kind in self.counts()}

    def save(self, path: Path) -> None:
        """Writes the suite."""
        told = {"cases": [asdict(case) for case in self.cases], "edits": self.edits, "kind": "suite"}
        told |= {"image_size": self.image_size, "split": self.split}
        images = {"wanted": self.wanted, "content": self.content}
        tensors.save(path, self.embedded.stored() | images, told)

    @classmethod
    def load(cls, path: Path) -> "Suite":
        """The suite in a file of stage suite. Raises ValueError for any other file."""
        told, _ = tensors.describe(path)
        if told.get("kind") != "suite":
            raise ValueError(f"{path} holds a {told.get('kind')!r}, not a validation suite; stage suite writes one")
        found = tensors.load(path)
        listed = [Case(**case | {"present": tuple(case["present"])}) for case in told["cases"]]
        embedded = Embedded(*(found[name] for name in FIELDS))
        return cls(
            listed, told["edits"], embedded, found["wanted"], found["content"], told["image_size"], told["split"]
        )
