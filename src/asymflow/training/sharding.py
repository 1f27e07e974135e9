"""Weights, gradients, optimiser and averages in parts, one for each process: for a network that does not fit one device (FSDP2).

A block's weights are put together when it is their turn and let go again. Files hold whole tensors, so they are the same however
many processes made them, and any number of processes, or one, goes on with them.
"""

from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from asymflow.processes import torchrun


def shard(objective: nn.Module, network: nn.Module) -> None:
    """Spreads the parameters of an objective over the processes, in place: block by block of its network, then all others."""
    for block in network.blocks:
        fully_shard(block)
    fully_shard(objective)


def gathered(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The whole tensors on the processor, for the first process, which saves them; nothing for the others.

    All processes have to call it together: each gives its part.
    """
    rank, _, _ = torchrun()
    kept = {}
    for name, value in tensors.items():  # one after the other: no device ever has more than one of them whole
        value = whole(value)
        if rank == 0:
            kept[name] = value.detach().cpu()
    return kept


def whole(value: Tensor) -> Tensor:
    """All parts of a tensor together, on every process; all have to call it together."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def spread_like(values: dict[str, Tensor], others: dict[str, Tensor]) -> dict[str, Tensor]:
    """The values, those in parts whose namesakes among the others are. All processes have the same whole values."""
    return {
        name: distribute_tensor(value.to(other.device), other.device_mesh, other.placements, src_data_rank=None)
        if isinstance(other := others.get(name), DTensor) and value.shape == other.shape
        else value
        for name, value in values.items()
    }
