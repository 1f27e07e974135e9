"""JiT and the networks that are made from it, small: what they are told, what enters their blocks, whether they compile."""

import math
import subprocess
import sys

import torch
from torch import nn

from asymflow.config.conditions import MODALITIES
from asymflow.config.jit import Size
from asymflow.models.condition import Condition, Shapes, presence

SMALL = Size(width=24, depth=4, heads=2, bottleneck=5, dropout=0.0, context=3, enters=2)
GRID, PATCH_DIM, CLASSES = (2, 3), 27, 4
CLASS = Shapes(classes=CLASSES)
EVERYTHING = Shapes(classes=CLASSES, caption=(5, 6), embedding=7, patches=(8, 9), joints=2)
CONDITIONS = {  # every set of them: what the network is made for, and how many tokens join the image's
    "class": (CLASS, 3),
    "caption": (Shapes(caption=(5, 6)), 5),
    "embedding": (Shapes(embedding=7), 3),
    "patches": (Shapes(patches=(8, 9)), 8),
    "joints": (Shapes(joints=2), 2),
    "all": (EVERYTHING, 3 + 5 + 8 + 2),
    "none": (Shapes(), 0),
}


def moved(network: nn.Module) -> nn.Module:
    """A network in float64 with every parameter drawn and then moved as training would."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    return network.double()


def inputs(batch: int = 5, dtype: torch.dtype = torch.float64):
    """Noisy patches, noise levels and classes, the last of which is hidden."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(batch, math.prod(GRID), PATCH_DIM, generator=generator, dtype=dtype)
    present = presence(["class"], batch)
    present[-1] = False
    return x, torch.linspace(0.1, 1, batch, dtype=dtype), Condition(present, GRID, label=torch.arange(batch) % CLASSES)


def everything_shown(batch: int = 5) -> Condition:
    """A condition with every part shown, the captions of different lengths."""
    generator = torch.Generator().manual_seed(2)

    def draw(*shape):
        return torch.randn(batch, *shape, generator=generator, dtype=torch.float64)

    return Condition(
        present=presence(MODALITIES, batch), grid=GRID, label=torch.arange(batch) % CLASSES, text=draw(5, 6),
        mask=torch.arange(5) < 1 + torch.arange(batch)[:, None] % 5, embedding=draw(7), patches=draw(8, 9),
        joints=draw(2, 3).abs() + 0.1,
    )  # fmt: skip


def block_inputs(network: nn.Module, *arguments) -> list[torch.Tensor]:
    """The tokens that enter each block and the final layer."""
    seen = []
    for module in (*network.blocks, network.final):
        module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(*arguments)
    return seen


COMPILED = """
import torch
from asymflow.config.conditions import MODALITIES
from asymflow.config.jit import Size
from asymflow.models.condition import Condition, Shapes, presence
{imported}

size = Size(width=16, depth=3, heads=2, bottleneck=5, dropout=0.0, context=1, enters=1)
shapes = Shapes(classes=2, caption=(3, 4), embedding=5, patches=(2, 3), joints=2)
network = {made}dimension=12, grid=(2, 3), shapes=shapes, checkpointing=True)
for parameter in network.parameters():
    torch.nn.init.normal_(parameter, std=0.3)
present = presence(MODALITIES, 2)
present[1, ::2] = False
condition = Condition(
    present, (2, 3), label=torch.tensor([0, 1]), text=torch.randn(2, 3, 4),
    mask=torch.arange(3) < torch.tensor([[3], [1]]), embedding=torch.randn(2, 5),
    patches=torch.randn(2, 2, 3), joints=torch.rand(2, 2, 3),
)
arguments = torch.randn(2, 6, 12), torch.rand(2), condition


def output_and_gradients(model):
    network.zero_grad()
    output = model(*arguments)
    output.square().sum().backward()
    return [output, *(parameter.grad.clone() for parameter in network.parameters())]


traced = torch.compile(network, fullgraph=True, backend="aot_eager")  # the graphs of training, without their C++
torch.testing.assert_close(output_and_gradients(traced), output_and_gradients(network))
with torch.no_grad():
    compiled = torch.compile(network, fullgraph=True)
    torch.testing.assert_close(compiled(*arguments), network(*arguments), rtol=1e-3, atol=1e-4)  # sums in another order
"""


def compiled(module: str, made: str) -> None:
    """Asserts that a network compiles in one graph to the same output and gradients; `made` is the beginning of its call.

    In a process of its own, because pytest's shape checks are code that the compiler cannot follow.
    """
    imported = f"from asymflow.models.{module} import {made.split('(')[0]}"
    script = COMPILED.replace("{imported}", imported).replace("{made}", made)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
