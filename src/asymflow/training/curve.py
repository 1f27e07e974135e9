"""The training curve: one JSON line for each point, mirrored to TensorBoard."""

import json
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter


class Curve:
    """Appends points to a file that survives interruptions; points after the resumed position are dropped.

    TensorBoard's events lie in the folder `board` and stay after the run.
    """

    def __init__(self, path: Path, board: Path, images: int):
        self.path = path
        kept = [line for line in self._lines() if json.loads(line)["images"] <= images]
        path.write_text("".join(kept))
        self._board = SummaryWriter(board, purge_step=images + 1)

    def _lines(self) -> list[str]:
        # a killed writer may leave half a line at the end
        lines = self.path.read_text().splitlines(keepends=True) if self.path.exists() else []
        return [line for line in lines if line.endswith("\n")]

    def add(self, images: int, **values: float) -> None:
        """Adds the point at `images` images seen."""
        with self.path.open("a") as file:
            file.write(json.dumps({"images": images, **values}) + "\n")
        for name, value in values.items():
            self._board.add_scalar(f"training/{name}", value, images)

    def seconds(self) -> float:
        """Time spent in updates, over all resumptions."""
        return sum((json.loads(line)["seconds"] for line in self._lines()), 0.0)

    def close(self) -> None:
        """Flushes TensorBoard's file."""
        self._board.close()
