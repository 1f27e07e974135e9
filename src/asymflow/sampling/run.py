"""A finished run, ready to be sampled."""

from dataclasses import dataclass
from pathlib import Path

import torch

from asymflow import lineage, parts, tensors
from asymflow.config.arm import Arm
from asymflow.config.sampling import Sampling
from asymflow.data.tokens import grid_of
from asymflow.machine import Machine, choose
from asymflow.models.assemble import Beginning, Lift, assemble, restore
from asymflow.models.condition import Shapes
from asymflow.models.velocity import VelocityModel
from asymflow.training.averages import Weights
from asymflow.training.checkpoint import load_model, snapshot_path
from asymflow.training.posthoc import reconstruct


@dataclass(frozen=True)
class Files:
    """What a model is made of beside its own file; None where it needs nothing else."""

    start: Path | None = None  # the model whose weights an adapted arm began with
    folder: Path | None = None  # a FLUX.2 in the format of diffusers that it began with
    latents: Path | None = None  # the autoencoder of an arm of latents, or the folder of a FLUX.2


@dataclass(frozen=True)
class Run:
    """A trained model with what is needed to draw from it."""

    model: VelocityModel
    arm: Arm
    machine: Machine
    shapes: Shapes  # of what it is conditioned on
    classes: tuple[str, ...]
    image_size: int  # pixels
    grid: tuple[int, int]  # rows and columns of its tokens
    seed: int  # of its training
    images: int  # that it was trained on
    lift: Lift | None = None  # how latent tokens lie in patches, for arms of latents
    latents: object | None = None  # what decodes latents
    data: str = ""  # the name of the data set that it was trained on
    checksum: str = ""  # of its file

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one image."""
        return 3, self.image_size, self.image_size


def weight_files(path: Path, settings: Sampling) -> list[Path]:
    """The files that the weights of a setting come from: the model's own, or some in the folder of its snapshots."""
    if not settings.of_snapshots:
        return [path]
    if settings.snapshot and not settings.length:
        return [snapshot_path(path, settings.snapshot)]
    kept = tensors.describe(snapshot_path(path, 1), "model")["arm"]["training"]["snapshots"]
    return [snapshot_path(path, number) for number in range(1, (settings.snapshot or kept) + 1)]


def take(run: "Run", weights: Weights) -> None:
    """Lets the run draw with other weights of its own training, in place."""
    own = dict(run.model.network.named_parameters())
    with torch.no_grad():
        for name, value in weights.items():
            own[name].copy_(value)


def load(path: Path, settings: Sampling, files: Files = Files()) -> Run:
    """The model in a file of stage train, or in a folder of snapshots, with the weights that the settings name, on the best
    device here.

    Raises ValueError when the run kept no such weights, or a file belongs to another run.
    """
    sources = weight_files(path, settings)
    saved = reconstruct(sources, settings.length) if settings.length else load_model(sources[-1], settings.weights)
    arm, machine = saved.arm, choose(settings.precision, settings.compile)
    grid = grid_of(saved.image_size, saved.image_size, arm.representation.patch_size)
    if arm.start.run and arm.start.adapter and not files.start:
        raise ValueError(
            f"{path} adapts the run {arm.start.run!r}, and holds only what was trained: give the model of that run too"
        )
    begun = load_model(files.start) if files.start else None
    if begun and begun.checksum != saved.began:
        raise ValueError(f"{path} began with the weights of another model than {files.start} holds: train it again")
    weights = begun.weights if begun else None
    beginning = Beginning(subspace=saved.A, lift=saved.lift, weights=weights, folder=files.folder)
    model = assemble(arm, saved.shapes, grid, beginning, seed=saved.seed, precision=machine.precision)
    restore(model.network, saved.weights)
    model = model.to(machine.device).eval().requires_grad_(False)
    if machine.compiled:
        model.network.compile()
    latents = None
    if arm.representation.space == "latent":
        lineage.check_file(files.latents, "autoencoder", path, saved.data)
        latents = parts.load("asymflow.models.latents").load(
            files.latents, arm.representation.patch_size, machine.device
        )
    lift = saved.lift.to(machine.device) if saved.lift else None
    return Run(
        model,
        arm,
        machine,
        saved.shapes,
        saved.classes,
        saved.image_size,
        grid,
        saved.seed,
        saved.images,
        lift,
        latents,
        saved.data,
        saved.checksum,
    )
