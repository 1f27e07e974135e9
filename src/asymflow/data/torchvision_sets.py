"""Any dataset of torchvision by name, provided that its targets are class numbers.

torchvision alone decides how the files of its datasets are read: CIFAR's, for instance, are pickles, which it opens
only when their checksums are the published ones. A process that opens an image keeps the dataset open for the next
ones.
"""

import difflib
import inspect
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from PIL import Image

from asymflow.data.images import ImageError
from asymflow.data.records import Listing, Record, class_list, dealt, default_caption

TARGETS = ("targets", "_labels", "labels")  # the names under which torchvision's datasets keep all their targets


@dataclass(frozen=True, slots=True)
class TorchvisionPicture:
    """One item of a torchvision dataset."""

    name: str
    root: str
    split: str | None
    index: int

    def open(self) -> Image.Image:
        image = _dataset(self.name, self.root, self.split, download=False)[self.index][0]
        if not isinstance(image, Image.Image):
            raise ImageError(f"torchvision gives a {type(image).__name__}, not an image")
        return image


def list_torchvision(name: str, root: str, split: str | None, *, download: bool, seed: int) -> Listing:
    """All images of a dataset.

    Raises ValueError when there is none of this name, its files are missing, or it has no class numbers.
    """
    dataset = _dataset(name, root, split, download=download)
    targets = _targets(dataset, name)
    if hasattr(dataset, "classes"):
        said = [", ".join(label) if isinstance(label, tuple) else str(label) for label in dataset.classes]
        classes = _distinct(said)
        labels = [(classes[target], said[target]) for target in targets]
    else:
        labels = [(str(target), str(target)) for target in targets]
        classes = class_list(label for label, _ in labels)
    records = [
        Record(f"{i:09d}", TorchvisionPicture(name, root, split, i), label, default_caption(shown), {}, f"{name}/{i}")
        for i, (label, shown) in enumerate(labels)
    ]
    return Listing(classes, dealt(records, seed), [])


def _distinct(names: list[str]) -> list[str]:
    """The names, with their number where several classes have the same: torchvision's ImageNet has two kinds of crane."""
    counts = Counter(names)
    return [f"{name} ({number})" if counts[name] > 1 else name for number, name in enumerate(names)]


@lru_cache(maxsize=1)
def _dataset(name: str, root: str, split: str | None, *, download: bool) -> Any:
    from torchvision import datasets  # here, because importing it takes seconds that the other sources need not spend

    known = [known for known in datasets.__all__ if _is_dataset(getattr(datasets, known), datasets.VisionDataset)]
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)
        raise ValueError(f"data.name {name!r} is not an image dataset of torchvision; did you mean {nearest[0]!r}?")
    factory = getattr(datasets, name)
    parameters = inspect.signature(factory).parameters
    options = _split_option(name, split, parameters)
    if "download" in parameters:
        options["download"] = download
    elif download:
        raise ValueError(
            f"torchvision cannot download {name}; put its files into {root!r} and set data.download to false"
        )
    try:
        return factory(root=root, **options)
    except (RuntimeError, OSError, TypeError, ValueError, ImportError) as error:
        hint = "; put its files there" + (", or set data.download to true" if "download" in parameters else "")
        raise ValueError(f"torchvision cannot open {name} in {root!r}: {error}{hint}") from error


def _is_dataset(thing: Any, base: type) -> bool:
    return isinstance(thing, type) and issubclass(thing, base) and thing is not base


def _split_option(name: str, split: str | None, parameters: Any) -> dict[str, Any]:
    """The argument that chooses the dataset's own split: `split="train"` for some of them, `train=True` for others."""
    if split is None:
        return {}
    if "split" in parameters:
        return {"split": split}
    if "train" in parameters and split in ("train", "test"):
        return {"train": split == "train"}
    expected = "train or test" if "train" in parameters else "null, because it has no splits of its own"
    raise ValueError(f"data.split {split!r} does not exist in torchvision's {name}; expected {expected}")


def _targets(dataset: Any, name: str) -> list[int]:
    """The class number of every image; where the dataset keeps no list of them, by opening every image once."""
    kept = [getattr(dataset, key) for key in TARGETS if hasattr(dataset, key)]
    targets = list(kept[0]) if kept else [dataset[i][1] for i in range(len(dataset))]
    try:
        numbers = [int(target) for target in targets]
    except (TypeError, ValueError, RuntimeError):
        numbers = []
    if len(numbers) != len(dataset) or min(numbers, default=-1) < 0:
        raise ValueError(
            f"torchvision's {name} does not have a class number for every image, as training needs; choose another"
            " split of it, or arrange its images in a folder and use source 'folder'"
        )
    return numbers
