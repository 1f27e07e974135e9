import pytest
import torch

from asymflow.config.model import Model, Size
from asymflow.models.cost import gflops, parameters
from asymflow.models.jit import JiT, build


@pytest.mark.parametrize(
    ("size", "millions", "operations"),
    [("B", 131.12, 50.4), ("L", 458.88, 175.9), ("H", 952.51, 363.9), ("G", 2007.13, 767.5)],
)
def test_named_sizes_have_the_parameters_and_operations_of_the_papers(size, millions, operations):
    # The JiT paper counts 25, 88, 182 and 383 billion multiply-adds, AsymFlow (table 2) 363 billion operations for H.
    with torch.device("meta"):
        network = build(Model(size=size), image_size=256, classes=1000, generator=None, checkpointing=False)
        one_image = torch.empty(1, 256, 768), torch.empty(1), torch.zeros(1, dtype=torch.int64)
    assert round(parameters(network) / 1e6, 2) == millions
    assert round(gflops(network, *one_image), 1) == operations


def test_operations_are_two_for_each_multiply_add():
    size = Size(width=24, depth=3, heads=2, bottleneck=5, dropout=0.0, context=2, enters=1)
    network = JiT(size, patch_dim=12, grid=(2, 3), classes=4, checkpointing=True)
    hidden, tokens = 64, 6 + 8 + 8  # over the three blocks
    per_token = 24 * 3 * 24 + 24 * 24 + 24 * 2 * hidden + hidden * 24
    attention = 2 * 24 * (6**2 + 8**2 + 8**2)
    modulation = 3 * 24 * 6 * 24 + 24 * 2 * 24
    ends = 6 * (12 * 5 + 5 * 24 + 24 * 12) + 256 * 24 + 24 * 24
    inputs = torch.randn(1, 6, 12), torch.rand(1), torch.zeros(1, dtype=torch.int64)
    assert gflops(network, *inputs) * 1e9 == pytest.approx(2 * (tokens * per_token + attention + modulation + ends))


def test_frozen_parameters_are_not_counted():
    network = torch.nn.Linear(3, 5)
    network.bias.requires_grad_(False)
    assert parameters(network) == 15
