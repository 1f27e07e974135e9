"""What a network costs: its parameters and the operations of one forward pass, computed rather than quoted."""

from typing import Any

from torch import nn, no_grad
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode


def parameters(network: nn.Module) -> int:
    """Number of trainable numbers in the network."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def gflops(network: nn.Module, *inputs: Any) -> float:
    """Billions of operations of one forward pass, 2 for each multiply-add of a matrix product [AsymFlow, table 2].

    The inputs are those of the network for one image; their values do not matter. Everything runs on the meta device:
    nothing is computed and no memory is taken, so that any network on any device can be counted in a moment.
    """
    state = {name: tensor.to("meta") for name, tensor in (*network.named_parameters(), *network.named_buffers())}
    counter = FlopCounterMode(display=False)
    with counter, no_grad():
        functional_call(network, state, tuple(value.to("meta") for value in inputs))
    return counter.get_total_flops() / 1e9
