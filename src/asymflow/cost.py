"""What a run costs, reckoned from its network alone: operations, memory, disk.

Nothing is computed for it: networks are built and run on torch's meta device, which only knows shapes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from asymflow.config.arm import Arm
from asymflow.config.sampling import Sampling
from asymflow.models.assemble import bare
from asymflow.models.condition import Condition, Shapes, example
from asymflow.models.cost import gflops

BACKWARD = 2.0  # operations of a backward pass, in forward passes
RECOMPUTED = 1.0  # and of the forward pass that activation checkpointing repeats
GUIDED = 2.0  # forward passes of a guided evaluation
FLOAT = 4  # bytes
STATES = {"adamw": 8, "adamw_8bit": 2, "muon": 6}  # bytes of optimiser state for each trained number, about


@dataclass(frozen=True)
class Network:
    """What a network costs."""

    parameters: int
    trained: int
    gflops: float  # of one forward pass of one image
    activations: int  # bytes kept for the backward pass of one image


def network(arm: Arm, shapes: Shapes, grid: tuple[int, int], latent_dimension: int | None) -> Network:
    """The cost of an arm's network; `latent_dimension` are the numbers of a latent token, for arms that have or lift such."""
    made, dimension = bare(arm, shapes, grid, latent_dimension)
    one = torch.zeros(1, grid[0] * grid[1], dimension), torch.zeros(1), example(shapes, grid)
    parameters = list(made.parameters())
    trained = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
    total = sum(parameter.numel() for parameter in parameters)
    return Network(total, trained, gflops(made, *one), activation_bytes(made, *one))


def activation_bytes(made: nn.Module, x: Tensor, t: Tensor, condition: Condition) -> int:
    """Bytes that a forward pass keeps for the backward pass, weights left out, each tensor counted once."""
    weights = {tensor.untyped_storage()._cdata for tensor in (*made.parameters(), *made.buffers())}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = made(x.to("meta"), t.to("meta"), condition.to("meta"))
    del output
    return sum(kept.values())


def training_gflop(arm: Arm, of: Network) -> float:
    """Billions of operations of a whole training, projectors and teachers left out."""
    passes = 1 + BACKWARD + RECOMPUTED * arm.training.activation_checkpointing
    return of.gflops * passes * arm.training.images


def sampling_gflop(sampling: Sampling, of: Network) -> float:
    """Billions of operations of all images of a setting."""
    evaluations = sampling.steps * (2 if sampling.solver == "heun" else 1)
    guidance = sampling.guidance
    share = {"none": 0.0, "searched": 1.0}.get(guidance.kind)  # of the noise levels that are guided
    if share is None:
        share = guidance.interval[1] - guidance.interval[0]
    return of.gflops * evaluations * (1 + (GUIDED - 1) * share) * sampling.count


def training_memory(arm: Arm, of: Network, devices: int) -> int:
    """Bytes of a training on each device: weights, gradients, optimiser, averages, activations of one pass."""
    training = arm.training
    averages = sum(name != "last" for name in training.averages)
    for_each = FLOAT * (1 + averages) + STATES[training.optimiser]
    batch = training.micro_batch or -(-training.batch // devices)
    kept = of.activations // max(arm.network.blocks, 1) * 2 if training.activation_checkpointing else of.activations
    return FLOAT * of.parameters + for_each * of.trained + batch * kept


def model_bytes(arm: Arm, of: Network) -> int:
    """Bytes of a run's model and its snapshots on disk."""
    return FLOAT * of.trained * len(arm.training.averages) * (1 + arm.training.snapshots)
