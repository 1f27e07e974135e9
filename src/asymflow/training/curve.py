"""The training curve: its points, mirrored to TensorBoard while they come.

An unfinished training keeps its points in the checkpoint, so that the two cannot differ.
"""

import json
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

Point = dict[str, Any]  # images, and what was measured there


class Curve:
    """Points up to the resumed position, and those that follow. TensorBoard's events lie in the folder `board`."""

    def __init__(self, board: Path, points: list[Point]):
        self.points = list(points)
        self._board = SummaryWriter(board, purge_step=points[-1]["images"] + 1 if points else 0)

    def add(self, images: int, **values: float) -> None:
        """Adds the point at `images` images seen."""
        self.points.append({"images": images, **values})
        for name, value in values.items():
            self._board.add_scalar(f"training/{name}", value, images)

    def close(self) -> None:
        """Flushes TensorBoard's file."""
        self._board.close()


def text(points: list[Point]) -> str:
    """One JSON line for each point; the same for points that come from a checkpoint, which keeps no order of keys."""
    return "".join(json.dumps(point, sort_keys=True) + "\n" for point in points)


def seconds(points: list[Point]) -> float:
    """Time spent in updates, over all resumptions."""
    return sum((point["seconds"] for point in points), 0.0)
