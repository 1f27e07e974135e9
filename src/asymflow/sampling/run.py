"""A finished run, ready to be sampled."""

from dataclasses import dataclass
from pathlib import Path

from asymflow.config.arm import Arm
from asymflow.config.sampling import Sampling
from asymflow.machine import Machine, choose
from asymflow.models.jit import build
from asymflow.models.velocity import VelocityModel
from asymflow.sampling.sampler import Model
from asymflow.training.checkpoint import load_model


@dataclass(frozen=True)
class Run:
    """A trained model with what is needed to draw from it."""

    model: Model
    arm: Arm
    machine: Machine
    image_size: int  # pixels
    classes: tuple[str, ...]
    seed: int  # of its training
    images: int  # that it was trained on

    @property
    def null_label(self) -> int:
        """The label that means no class."""
        return len(self.classes)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one image."""
        return 3, self.image_size, self.image_size


def load(path: Path | str, settings: Sampling, local_rank: int = 0) -> Run:
    """The model in a file of the train stage, with the averaged weights that the settings name, on the best device here.

    Raises ValueError when the run kept no such average.
    """
    weights, A, description = load_model(path, settings.ema_images)
    arm = Arm.model_validate(description["arm"])
    classes, size = description["classes"], description["image_size"]
    machine = choose(settings.precision, settings.compile, local_rank)
    network = build(arm.model, image_size=size, classes=len(classes), generator=None, checkpointing=False)
    network.load_state_dict(weights)
    model = VelocityModel(network, A, 1.0, machine.precision).to(machine.device).eval().requires_grad_(False)
    if machine.compiled:
        network.compile()
    return Run(model, arm, machine, size, tuple(classes), description["seed"], description["images"])
