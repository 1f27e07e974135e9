"""All that a source offers, whichever of the four it is."""

import re
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from asymflow.config.data import Data
from asymflow.data import portraits
from asymflow.data.archives import list_archives
from asymflow.data.folder import list_folder
from asymflow.data.portraits import Portrait
from asymflow.data.records import Listing, Record
from asymflow.data.torchvision_sets import list_torchvision


@dataclass(frozen=True, slots=True)
class PortraitPicture:
    """A portrait, drawn when it is opened."""

    seed: int
    index: int
    size: int

    def open(self) -> Image.Image:
        return Image.fromarray(portraits.render(portraits.portrait(self.seed, self.index), self.size))


def listing(data: Data, scratch: Path) -> Listing:
    """What the configured source has. Copies of its files, if there must be any, lie in the folder `scratch`, and must stay."""
    if data.source == "portraits":
        return list_portraits(data.seed, data.heldout + data.evaluator + data.train, data.image_size)
    if data.source == "folder":
        return list_folder(data.path, data.seed)
    if data.source == "torchvision":
        return list_torchvision(data.name, data.path, data.split, download=data.download, seed=data.seed)
    return list_archives(data.path, data.seed, scratch, whole=data.download)


def list_portraits(seed: int, count: int, size: int) -> Listing:
    """The first `count` portraits of a seed, in order of index: they are independent draws, shuffled already."""
    return Listing(list(portraits.CLASSES), [_portrait_record(seed, index, size) for index in range(count)], [])


def _portrait_record(seed: int, index: int, size: int) -> Record:
    person = portraits.portrait(seed, index)
    return Record(
        key=f"{index:09d}",
        picture=PortraitPicture(seed, index, size),
        class_name=portraits.CLASSES[portraits.label(person)],
        caption=portraits.caption(person),
        attributes=portraits.attributes(person),
        source=f"portrait {seed}/{index}",
        named=tuple(portraits.named(person)),
    )


def portrait_of(source: str) -> Portrait | None:
    """The portrait that a sample was drawn from, by what it says of its source; None for all other images."""
    match = re.fullmatch(r"portrait (\d+)/(\d+)", source)
    return portraits.portrait(int(match[1]), int(match[2])) if match else None


def split_counts(data: Data, available: int) -> dict[str, int]:
    """How many images each split is to have, in the order in which they are filled.

    Raises ValueError if there are too few.
    """
    fixed = data.heldout + data.evaluator
    train = available - fixed if data.train is None else data.train
    if train < 1 or fixed + train > available:
        asked = "at least 1" if data.train is None else str(data.train)
        raise ValueError(
            f"there are {available} usable images, but the configuration asks for {asked} for data.train,"
            f" {data.evaluator} for data.evaluator and {data.heldout} for data.heldout; lower these or add images"
        )
    return {"heldout": data.heldout, "evaluator": data.evaluator, "train": train}
