"""Pictures of image arrays."""

from pathlib import Path

import numpy as np
from PIL import Image

from asymflow.files import atomic

GAP = 2  # white pixels between the images of a grid


def grid(images: np.ndarray, columns: int) -> Image.Image:
    """The images (n, h, w, 3) of 8 bits side by side, `columns` in a row, with thin white gaps."""
    n, h, w, _ = images.shape
    rows = -(-n // columns)
    canvas = np.full((rows * (h + GAP) - GAP, columns * (w + GAP) - GAP, 3), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = i // columns * (h + GAP), i % columns * (w + GAP)
        canvas[top : top + h, left : left + w] = image
    return Image.fromarray(canvas)


def enlarge(picture: Image.Image, factor: int) -> Image.Image:
    """The picture with every pixel as a square of `factor` pixels."""
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)


def save(picture: Image.Image, path: Path | str) -> None:
    """Writes the picture whole or not at all; the format is that of the suffix."""
    with atomic(path) as temporary:
        picture.save(temporary)
