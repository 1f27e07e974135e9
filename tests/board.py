"""What TensorBoard shows of a training."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def _loaded(run: Path) -> EventAccumulator:
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0, "scalars": 0})
    return events.Reload()


def grids(run: Path) -> list[tuple[int, np.ndarray]]:
    """The grids of samples of a run, each with the images seen."""
    events = _loaded(run)
    shown = events.Images("samples") if "samples" in events.Tags()["images"] else []
    return [(grid.step, np.array(Image.open(io.BytesIO(grid.encoded_image_string)))) for grid in shown]


def steps(run: Path, name: str) -> list[int]:
    """Where a curve of a run has its points."""
    return [point.step for point in _loaded(run).Scalars(f"training/{name}")]
