"""What a run costs, reckoned from its network alone: operations, memory, disk.

Nothing is computed for it: networks are built and run on torch's meta device, which only knows shapes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from asymflow import parts
from asymflow.config.arm import Arm
from asymflow.config.evaluator import Evaluator
from asymflow.config.sampling import Interval, Sampling
from asymflow.config.search import Search
from asymflow.flow.guidance import in_interval
from asymflow.flow.solver import time_grid
from asymflow.metrics.tower import ImageTower
from asymflow.models.assemble import bare
from asymflow.models.condition import Condition, Shapes, example
from asymflow.models.cost import gflops
from asymflow.sampling.search import Grid, evaluations, lengths

BACKWARD = 2.0  # operations of a backward pass, in forward passes
RECOMPUTED = 1.0  # and of the forward pass that activation checkpointing repeats
PASSES = {
    "none": 1,
    "classifier_free": 2,
    "searched": 2,
    "routing": 2,
    "dual": 3,
}  # of the network at a guided noise level
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


def sampling_gflop(sampling: Sampling, arm: Arm, of: Network) -> float:
    """Billions of operations of all images of a setting."""
    return of.gflops * passes(sampling, sampling.shift or arm.training.shift) * sampling.count


def search_gflop(sampling: Sampling, search: Search, arm: Arm, of: Network) -> float:
    """Billions of operations of a guidance search at most: all samples of every candidate; 0 where none is searched.

    It takes far less, as most candidates are dropped early: the first ones took about a fiftieth (docs/portraits64.md).
    """
    if sampling.guidance.kind != "searched":
        return 0.0
    levels = time_grid(sampling.steps, sampling.shift or arm.training.shift)
    visits = parts.load(parts.solver(sampling.solver)).visits(sampling.steps)
    grid = Grid(search, levels, lengths(search) if sampling.searches_average else (None,))
    return of.gflops * search.count * sum(evaluations(candidate, levels, visits) for candidate in grid.all())


def passes(sampling: Sampling, shift: float) -> int:
    """Forward passes of the network for one image: the solver's, those of guided noise levels as often as guidance asks."""
    guidance, visits = sampling.guidance, parts.load(parts.solver(sampling.solver)).visits(sampling.steps)
    interval = guidance.interval if isinstance(guidance, Interval) else (0.0, 1.0)
    times = time_grid(sampling.steps, shift)[:-1]
    return sum(
        n * (PASSES[guidance.kind] if in_interval(t, interval) else 1) for t, n in zip(times, visits, strict=True)
    )


def evaluator_gflop(config: Evaluator) -> float:
    """Billions of operations of training the local evaluator, by its image tower, which does nearly all of them."""
    with torch.device("meta"):
        tower = ImageTower(config)
    return gflops(tower, torch.zeros(1, 3, config.image_size, config.image_size)) * (1 + BACKWARD) * config.images


def training_memory(arm: Arm, of: Network, processes: int = 1) -> int:
    """Bytes on one device of a training by so many processes: weights, gradients, optimiser, averages, activations of one pass.

    An arm that is sharded leaves each process its part, and the weights of the block whose turn it is.
    """
    training = arm.training
    averages = sum(name != "last" for name in training.averages)
    for_each = FLOAT * (1 + averages) + STATES[training.optimiser]
    batch = training.micro_batch or training.batch // processes
    blocks = max(arm.network.blocks, 1)
    kept = of.activations // blocks * 2 if training.activation_checkpointing else of.activations
    held = FLOAT * of.parameters + for_each * of.trained
    if training.shard and processes > 1:
        held = held // processes + FLOAT * of.parameters // blocks
    return held + batch * kept


def model_bytes(arm: Arm, of: Network) -> int:
    """Bytes of a run's model and its snapshots on disk."""
    return FLOAT * of.trained * len(arm.training.averages) * (1 + arm.training.snapshots)
