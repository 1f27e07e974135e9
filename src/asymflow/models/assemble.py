"""An arm as a model of the full velocity: its network, what it begins as, and what of it is trained.

Letters in shapes: D numbers of a pixel patch, d of a latent token.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from asymflow import parts
from asymflow.config.arm import Arm
from asymflow.models.condition import Shapes
from asymflow.models.velocity import VelocityModel


@dataclass(frozen=True)
class Lift:
    """How latent tokens lie in pixel patches: x = s A z, nearly.                  [AsymFlow, eq. 9-12]"""

    A: Float[Tensor, "D d"]
    s: float

    def to(self, device: torch.device) -> "Lift":
        """The same on a device."""
        return Lift(self.A.to(device), self.s)


@dataclass(frozen=True)
class Beginning:
    """What a network may begin with, beside random weights; None where the arm has no such part."""

    subspace: Float[Tensor, "D r"] | None = None  # A of a target in pixels
    lift: Lift | None = None  # of arms of latents, and of those that are lifted from one
    pca: Float[Tensor, "D k"] | None = None  # directions that the patch embedding begins as
    weights: dict[str, Tensor] | None = None  # of another run
    folder: Path | None = None  # a FLUX.2 in the format of diffusers


def assemble(
    arm: Arm, shapes: Shapes, grid: tuple[int, int], beginning: Beginning, *, seed: int, precision: torch.dtype
) -> VelocityModel:
    """The model before its training; arms with the same start and seed begin alike.

    An arm of latents works in its own space, where u-prediction is full rank; one with a decoder head predicts the full
    velocity of pixels, its input calibrated as that of the lift (eq. 14-17).
    """
    torch.manual_seed(seed)
    module, lift = parts.load(parts.network(arm)), beginning.lift
    checkpointing = arm.training.activation_checkpointing
    latent = arm.representation.space == "latent" or arm.lifted
    dimension = lift.A.shape[1] if latent else arm.representation.dimension
    if beginning.folder is None:
        generator = torch.Generator().manual_seed(seed)
        options = {"dimension": dimension, "grid": grid, "shapes": shapes, "checkpointing": checkpointing}
        network = module.build(arm.network, generator=generator, **options)
    else:
        options = {"dimension": dimension, "shapes": shapes, "checkpointing": checkpointing}
        network = module.pretrained(beginning.folder, precision=precision, **options).requires_grad_(True)
    if beginning.weights is not None:
        restore(network, beginning.weights)
    if beginning.pca is not None:
        network.start_from(beginning.pca)
    if arm.start.head:
        network = module.behead(network, lift.A, arm.start.head)
    elif arm.lifted:
        module.lift(network, lift.A)
    if arm.start.adapter:
        module.adapt(network, arm.start.adapter)
    for parameter in network.parameters():
        if parameter.requires_grad:  # trained in float32, whatever the rest is stored in
            parameter.data = parameter.data.float()
    A, s = _target(arm, beginning, dimension)
    return parts.load(parts.target(arm)).build(arm, network, A, s, precision)


def _target(arm: Arm, beginning: Beginning, dimension: int) -> tuple[Tensor, float]:
    """The subspace of what the network predicts, and the scale of what it sees."""
    if arm.representation.space == "latent":
        return torch.eye(dimension)[:, : arm.target.columns(dimension)], 1.0
    if arm.start.head:
        return torch.eye(arm.representation.dimension), beginning.lift.s
    if arm.lifted:
        return beginning.lift.A, beginning.lift.s
    return beginning.subspace, 1.0


def bare(
    arm: Arm, shapes: Shapes, grid: tuple[int, int], latent_dimension: int | None, folder: Path | None = None
) -> tuple[nn.Module, int]:
    """An arm's network without weights, which takes no memory, on the meta device, and the numbers of a token that it takes.

    `latent_dimension` are the numbers of a latent token, for arms of latents and those that are lifted from them.
    """
    module, patch = parts.load(parts.network(arm)), arm.representation.dimension
    latent = arm.representation.space == "latent" or arm.lifted
    dimension = latent_dimension if latent else patch
    options = {"dimension": dimension, "shapes": shapes, "checkpointing": False}
    with torch.device("meta"):
        if folder is None:
            network = module.build(arm.network, grid=grid, generator=None, **options)
        else:
            network = module.outline(folder, **options)
        A = torch.empty(patch, dimension)
        if arm.start.head:
            network = module.behead(network, A, arm.start.head)
        elif arm.lifted:
            module.lift(network, A)
        if arm.start.adapter:
            module.adapt(network, arm.start.adapter)
    return network, patch if arm.lifted else dimension


def outline(
    arm: Arm, shapes: Shapes, grid: tuple[int, int], latent_dimension: int | None, folder: Path | None
) -> dict[str, torch.Size]:
    """The shapes of what an arm trains, by name."""
    network, _ = bare(arm, shapes, grid, latent_dimension, folder)
    return {name: parameter.shape for name, parameter in trained(network).items()}


def trained(network: nn.Module) -> dict[str, Tensor]:
    """The parameters that training moves, by name; everything else is that of the start."""
    return {name: p for name, p in network.named_parameters() if p.requires_grad}


def restore(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Loads trained weights into an assembled network. Raises ValueError when they are those of another arm."""
    own = trained(network)
    different = sorted(n for n in own | weights if n not in own or n not in weights or own[n].shape != weights[n].shape)
    if different:
        raise ValueError(
            f"these weights are of another model: {len(different)} of them are not alike, the first {different[0]!r}; train the"
            " arm again"
        )
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(weights[name])
