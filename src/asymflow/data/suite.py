"""The validation suite of prx-tg as a file: which conditions are shown, with which noise, and which image is wanted.

reconstruction   all conditions of an image; wanted: that image
text             its caption alone; wanted: that image
swap             the caption of one image and the embeddings of another; wanted: the other
original, edited all conditions of an image, with its caption and with an edited one; wanted: the image and, where it can be
                 drawn, the same person with that attribute changed
told, retold     the same pair of captions, each alone
memory           the caption of a training image alone; wanted: that image
"""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jaxtyping import Float, UInt8
from torch import Tensor

from asymflow import tensors
from asymflow.config.conditions import Modality
from asymflow.data.rows import floats, stored

UNPAIRED = 1 << 20  # added to the number of an edit's noise where it is not to be its original's


@dataclass(frozen=True)
class Case:
    """One image that is asked for."""

    kind: str
    image: int  # number of the image within its split that is wanted, and whose embeddings are shown
    caption: int  # number of the image within the same split whose caption is shown
    noise: int  # number of the noise that it begins with
    shown: tuple[Modality, ...]  # conditions that are shown
    source: str = ""  # "train" for training images, else the suite's own split
    edit: int = -1  # number of the edit whose caption is shown in place of the image's own


@dataclass(frozen=True)
class Suite:
    """Cases with all that drawing and judging them needs."""

    cases: list[Case]
    edits: list[dict[str, Any]]
    rows: dict[str, Tensor]  # what each case is shown: text, mask, embedding, patches
    empty: Float[Tensor, "l e"]  # the tokens of the empty caption
    wanted: UInt8[Tensor, "m 3 h w"]
    content: UInt8[Tensor, "_s 3 h w"]  # the images whose captions the swaps show
    image_size: int
    split: str
    data: str  # the name of the data set that it is made from

    def of_kind(self, kind: str) -> list[int]:
        """The numbers of the cases of one kind."""
        return [i for i, case in enumerate(self.cases) if case.kind == kind]

    def counts(self) -> dict[str, int]:
        """How many cases each kind has."""
        return dict(Counter(case.kind for case in self.cases))

    def wanted_by_kind(self) -> dict[str, UInt8[Tensor, "_k 3 h w"]]:
        """The wanted images of each kind."""
        return {kind: self.wanted[self.of_kind(kind)] for kind in self.counts()}

    def save(self, path: Path) -> None:
        """Writes the suite."""
        description = {"cases": [asdict(case) for case in self.cases], "edits": self.edits}
        description |= {"image_size": self.image_size, "split": self.split, "data": self.data}
        images = {"wanted": self.wanted, "content": self.content}
        tensors.save(path, "validation suite", stored(self.rows) | stored({"empty": self.empty}) | images, description)

    @classmethod
    def load(cls, path: Path) -> "Suite":
        """The suite in a file of stage suite. Raises ValueError for any other file."""
        description, loaded = tensors.describe(path, "validation suite"), tensors.load(path, "validation suite")
        listed = [Case(**case | {"shown": tuple(case["shown"])}) for case in description["cases"]]
        wanted, content, empty = (loaded.pop(name) for name in ("wanted", "content", "empty"))
        size, split = description["image_size"], description["split"]
        return cls(
            listed,
            description["edits"],
            floats(loaded),
            empty.float(),
            wanted,
            content,
            size,
            split,
            description["data"],
        )
