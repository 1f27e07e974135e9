from dataclasses import replace

import pytest
import torch

from asymflow.config.jit import JiT as Config
from asymflow.config.jit import Size
from asymflow.models.condition import Shapes, example
from asymflow.models.cost import gflops, parameters
from asymflow.models.jit import JiT, build

SMALL = Size(width=24, depth=3, heads=2, bottleneck=5, dropout=0.0, context=2, enters=1)


@pytest.mark.parametrize(
    ("size", "millions", "operations"),
    [("B", 131.12, 50.4), ("L", 458.88, 175.9), ("H", 952.51, 363.9), ("G", 2007.13, 767.5)],
)
def test_named_sizes_have_the_parameters_and_operations_of_the_papers(size, millions, operations):
    # The JiT paper counts 25, 88, 182 and 383 billion multiply-adds, AsymFlow (table 2) 363 billion operations for H.
    shapes, grid = Shapes(classes=1000), (16, 16)
    with torch.device("meta"):
        network = build(Config(size=size), dimension=768, grid=grid, shapes=shapes, generator=None, checkpointing=False)
        one_image = torch.empty(1, 256, 768), torch.empty(1)
    assert round(parameters(network) / 1e6, 2) == millions
    assert round(gflops(network, *one_image, example(shapes, grid)), 1) == operations


@pytest.mark.parametrize("shapes", [Shapes(classes=4), Shapes(caption=(2, 7))], ids=["class", "caption"])
def test_operations_are_two_for_each_multiply_add(shapes):
    """Two tokens join either way: the class tokens, or the caption's, which are read by a matrix instead."""
    network = JiT(SMALL, dimension=12, grid=(2, 3), shapes=shapes, checkpointing=True)
    hidden, tokens = 64, 6 + 8 + 8  # over the three blocks
    per_token = 24 * 3 * 24 + 24 * 24 + 24 * 2 * hidden + hidden * 24
    attention = 2 * 24 * (6**2 + 8**2 + 8**2)
    modulation = 3 * 24 * 6 * 24 + 24 * 2 * 24
    ends = 6 * (12 * 5 + 5 * 24 + 24 * 12) + 256 * 24 + 24 * 24
    reading = 2 * 7 * 24 if shapes.caption[1] else 0
    expected = 2 * (tokens * per_token + attention + modulation + ends + reading)
    counted = gflops(network, torch.randn(1, 6, 12), torch.rand(1), example(shapes, (2, 3)))
    assert counted * 1e9 == pytest.approx(expected)


def test_what_is_counted_does_not_depend_on_what_is_shown():
    shapes = Shapes(classes=4, caption=(2, 7), embedding=3, patches=(5, 6), joints=2)
    network = JiT(SMALL, dimension=12, grid=(2, 3), shapes=shapes, checkpointing=False)
    one, given = (torch.randn(1, 6, 12), torch.rand(1)), example(shapes, (2, 3))
    assert gflops(network, *one, given) == gflops(network, *one, given.only())
    assert gflops(network, *one, given) == gflops(network, *one, replace(given, label=given.label + 1))


def test_counting_leaves_the_network_where_it_is():
    network = JiT(SMALL, dimension=12, grid=(2, 3), shapes=Shapes(classes=4), checkpointing=False)
    gflops(network, torch.randn(1, 6, 12), torch.rand(1), example(Shapes(classes=4), (2, 3)))
    assert {parameter.device.type for parameter in network.parameters()} == {"cpu"}


def test_frozen_parameters_are_not_counted():
    network = torch.nn.Linear(3, 5)
    network.bias.requires_grad_(False)
    assert parameters(network) == 15
