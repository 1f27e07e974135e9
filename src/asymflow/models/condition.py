"""The condition of some images: the one argument of every network beside noisy tokens and noise level.

    network(x, t, condition)        noisy tokens (b, n, d) at noise levels (b) to tokens (b, n, d)

Letters in shapes: b images, l text tokens and e their channels, g channels of the image embedding, m patch tokens and q their
channels, k joints, v visible tokens.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from asymflow.config.conditions import MODALITIES, Modality


@dataclass(frozen=True)
class Shapes:
    """How large each part of a condition is, in what a network is made for."""

    classes: int = 0
    caption: tuple[int, int] = (0, 0)  # tokens, and channels of each
    embedding: int = 0  # channels
    patches: tuple[int, int] = (0, 0)  # tokens, and channels of each
    joints: int = 0

    @classmethod
    def parse(cls, described: dict[str, Any]) -> "Shapes":
        """From JSON, which has lists for pairs."""
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in described.items()})


@dataclass(frozen=True)
class Condition:
    """Everything that networks may be conditioned on for b images; None is what an arm is never conditioned on.

    `present` says which parts of it each image is shown, one column for each of MODALITIES. A network puts something in the
    place of what is hidden: for the class a null class, for a caption, an embedding, patch tokens and joints learned null
    tokens; FLUX.2, which was trained so, takes the tokens of the empty caption.
    """

    present: Bool[Tensor, "b 5"]
    grid: tuple[int, int]  # rows and columns of the tokens
    label: Int[Tensor, "b"] | None = None
    text: Float[Tensor, "b l e"] | None = None
    mask: Bool[Tensor, "b l"] | None = None  # which text tokens are the caption's, not padding
    empty: Float[Tensor, "l e"] | None = None  # the tokens of the empty caption
    embedding: Float[Tensor, "b g"] | None = None
    patches: Float[Tensor, "b m q"] | None = None
    joints: Float[Tensor, "b k 3"] | None = None  # place, from 0 to 1, and confidence
    visible: Int[Tensor, "v"] | None = None  # tokens that go through all blocks, in order; None: all

    def shows(self, name: Modality) -> Bool[Tensor, "b"]:
        """Which images are shown this part."""
        return self.present[:, MODALITIES.index(name)]

    def only(self, *names: Modality) -> "Condition":
        """The same with everything else hidden; no name hides all."""
        kept = torch.tensor([name in names for name in MODALITIES], device=self.present.device)
        return replace(self, present=self.present & kept)

    def at(self, rows: slice | Int[Tensor, "r"]) -> "Condition":
        """The condition of some of the images."""
        own = {name: value[rows] for name, value in self._tensors() if name not in SHARED}
        return replace(self, **own)

    def split(self, size: int) -> list["Condition"]:
        """The condition in parts of at most `size` images."""
        return [self.at(slice(start, start + size)) for start in range(0, len(self.present), size)]

    def to(self, device: torch.device | str) -> "Condition":
        """The same on a device."""
        return replace(self, **{name: value.to(device) for name, value in self._tensors()})

    def _tensors(self) -> Iterable[tuple[str, Tensor]]:
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return ((name, value) for name, value in values if isinstance(value, Tensor))


SHARED = ("empty", "visible")  # the same for all images


def presence(names: Iterable[Modality], count: int, device: torch.device | str = "cpu") -> Bool[Tensor, "count 5"]:
    """The presence of these parts for so many images alike."""
    shown = set(names)
    return torch.tensor([[name in shown for name in MODALITIES]], device=device).repeat(count, 1)


def visible(
    n: int, share: float, device: torch.device, generator: torch.Generator | None = None
) -> Int[Tensor, " v"] | None:
    """The tokens that go through all blocks: a random n - int(share n) of them, in order; None, undrawn, where all do."""
    if share == 0:
        return None
    return torch.randperm(n, device=device, generator=generator)[: n - int(share * n)].sort().values


def example(shapes: Shapes, grid: tuple[int, int]) -> Condition:
    """A condition of one image with all parts that have a size, of zeros; for counting what a network costs."""
    l, m = shapes.caption[0], shapes.patches[0]  # noqa: E741
    return Condition(
        present=presence(MODALITIES, 1),
        grid=grid,
        label=torch.zeros(1, dtype=torch.long) if shapes.classes else None,
        text=torch.zeros(1, *shapes.caption) if l else None,
        mask=torch.ones(1, l, dtype=torch.bool) if l else None,
        empty=torch.zeros(shapes.caption) if l else None,
        embedding=torch.zeros(1, shapes.embedding) if shapes.embedding else None,
        patches=torch.zeros(1, *shapes.patches) if m else None,
        joints=torch.zeros(1, shapes.joints, 3) if shapes.joints else None,
    )
