"""What the page that compares samples chooses from, and the sheets of samples that it holds."""

import io
from itertools import takewhile
from typing import Any

import numpy as np
from PIL import Image

IMAGES, FEWEST = 24, 4  # shown of each run, and how few where they are large
PIXELS = 32_000_000  # of all sheets of a page together, 40 to 80 MB
LONGEST = 16_383  # pixels of a side, in WebP


def series(samplings: dict[str, dict[str, Any]]) -> list[list[str]]:
    """The sampling settings, those together that differ in the snapshot alone, by its number."""
    together: dict[str, list[str]] = {}
    for name, fields in samplings.items():
        rest = {key: value for key, value in fields.items() if key != "snapshot"}
        together.setdefault(str(rest) if fields.get("snapshot") else name, []).append(name)
    return [sorted(names, key=lambda name: samplings[name].get("snapshot", 0)) for names in together.values()]


def called(names: list[str]) -> str:
    """What a series is called: what the names of its settings have in common, or the name of the only one."""
    if len(names) == 1:
        return names[0]
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in alike).rstrip("_0123456789") or ", ".join(names)


def count(sheets: int, height: int, width: int) -> int:
    """How many images of each run a page can hold."""
    affordable = PIXELS // (sheets * height * width)
    return min(IMAGES, max(FEWEST, affordable), max(1, LONGEST // height))


def sheet(images: np.ndarray) -> bytes:
    """The images (n, h, w, 3) of 8 bits one below the other, as WebP that loses nothing."""
    n, h, w, _ = images.shape
    with io.BytesIO() as file:
        Image.fromarray(np.ascontiguousarray(images).reshape(n * h, w, 3)).save(file, "WEBP", lossless=True, quality=80)
        return file.getvalue()
