"""The training curve: its points, mirrored to TensorBoard while they come, with pictures between them.

An unfinished training keeps its points in the checkpoint, so that the two cannot differ.
"""

import json
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.tensorboard import SummaryWriter

Point = dict[str, Any]  # images, and what was measured there


class Curve:
    """Points up to the resumed position, and those that follow. TensorBoard's events lie in the folder `board`.

    What an earlier run put there after that position is not shown: it comes again.
    """

    def __init__(self, board: Path, points: list[Point], images: int):
        self.points = list(points)
        self._board = SummaryWriter(board, purge_step=images + 1 if images else 0)

    def add(self, images: int, **values: float) -> None:
        """Adds the point at `images` images seen."""
        self.points.append({"images": images, **values})
        for name, value in values.items():
            self._board.add_scalar(f"training/{name}", value, images)

    def show(self, images: int, pictures: UInt8[Tensor, "b 3 H W"]) -> None:
        """Shows pictures that were drawn at `images` images seen, side by side; on the disk before a checkpoint can follow."""
        self._board.add_images("samples", pad(pictures, (1, 1, 1, 1), value=255), images)
        self._board.flush()

    def close(self) -> None:
        """Flushes TensorBoard's file."""
        self._board.close()


def text(points: list[Point]) -> str:
    """One JSON line for each point; the same for points that come from a checkpoint, which keeps no order of keys."""
    return "".join(json.dumps(point, sort_keys=True) + "\n" for point in points)


def seconds(points: list[Point]) -> float:
    """Time spent in updates, over all resumptions."""
    return sum((point["seconds"] for point in points), 0.0)
