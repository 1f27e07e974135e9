import math
import subprocess
import sys

import pytest
import torch

from asymflow.config.model import SIZES, Model, Size
from asymflow.models.jit import JiT, build

SMALL = Size(width=24, depth=4, heads=2, bottleneck=5, dropout=0.0, context=3, enters=2)
GRID, PATCH_DIM, CLASSES = (2, 3), 27, 4


def small(size: Size = SMALL, *, trained: bool = True, checkpointing: bool = False) -> JiT:
    """A float64 network, as drawn or with every parameter moved as training would."""
    generator = torch.Generator().manual_seed(0)
    network = JiT(size, patch_dim=PATCH_DIM, grid=GRID, classes=CLASSES, checkpointing=checkpointing)
    network.initialise(generator)
    if trained:
        with torch.no_grad():
            for parameter in network.parameters():
                parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
    return network.double()


def inputs(batch: int = 5, dtype: torch.dtype = torch.float64):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(batch, math.prod(GRID), PATCH_DIM, generator=generator, dtype=dtype)
    return x, torch.linspace(0.1, 1, batch, dtype=dtype), torch.arange(batch) % (CLASSES + 1)


def block_inputs(network: JiT, *arguments) -> list[torch.Tensor]:
    """The tokens that enter each block and the final layer."""
    seen = []
    for module in (*network.blocks, network.final):
        module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(*arguments)
    return seen


def test_output_is_zero_and_every_block_the_identity_before_training():
    network = small(trained=False)
    assert torch.equal(network(*inputs()), torch.zeros_like(inputs()[0]))
    seen = block_inputs(network, *inputs())
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0], seen[-1])  # what enters the final layer is what the patch embedding gave


@pytest.mark.parametrize("changed", ["x", "t", "label"])
def test_output_of_an_image_depends_on_each_of_its_inputs_and_on_no_other_image(changed):
    network = small()
    x, t, labels = inputs()
    before = network(x, t, labels)
    if changed == "x":
        x[1, 2, 3] += 0.5
    elif changed == "t":
        t[1] += 0.1
    else:
        labels[1] = CLASSES  # the null class
    moved = (network(x, t, labels) - before).abs().amax(dim=-1)
    assert (moved[1] > 1e-6).all()
    torch.testing.assert_close(moved[[0, 2, 3, 4]], torch.zeros(4, 6, dtype=torch.float64))


def test_a_label_beyond_the_null_class_is_an_error():
    x, t, labels = inputs()
    with pytest.raises(IndexError):
        small()(x, t, labels + 1)


def test_tokens_know_their_places_through_the_two_position_embeddings_alone():
    network = small()
    x, t, labels = inputs()
    order = torch.tensor([3, 1, 5, 0, 2, 4])

    def moves_with_the_tokens() -> bool:
        return torch.allclose(network(x[:, order], t, labels), network(x, t, labels)[:, order])

    assert not moves_with_the_tokens()
    network.embed.positions.zero_()
    assert not moves_with_the_tokens()  # the rotary positions are left
    network.table.copy_(torch.tensor([1.0, 0.0])[:, None, None].expand_as(network.table))
    assert moves_with_the_tokens()


def test_class_tokens_enter_at_their_block_in_front_and_leave_before_the_final_layer():
    network = small()
    seen = block_inputs(network, *inputs())
    assert [tokens.shape[1] for tokens in seen] == [6, 6, 9, 9, 6]
    label = network.label(inputs()[2])
    torch.testing.assert_close(seen[2][:, :3], label[:, None] + network.context)


@pytest.mark.parametrize(("depth", "dropping"), [(8, {2, 3, 4, 5}), (7, {1, 2}), (32, set(range(8, 24)))])
def test_dropout_is_in_the_middle_half_of_the_blocks_after_attention_and_inside_the_mlp(depth, dropping):
    network = small(SMALL._replace(depth=depth, dropout=0.3))
    for index, block in enumerate(network.blocks):
        assert block.dropout.p == block.mlp.dropout.p == (0.3 if index in dropping else 0.0)


def test_dropout_acts_in_training_only():
    network = small(SMALL._replace(dropout=0.5))
    first, second = (block_inputs(network.train(), *inputs()) for _ in range(2))
    assert [torch.equal(a, b) for a, b in zip(first, second, strict=False)] == [True, True, False, False, False]
    torch.testing.assert_close(network.eval()(*inputs()), small().train()(*inputs()))


@pytest.mark.parametrize("place", ["attention", "mlp"])
def test_either_dropout_changes_the_block(place):
    block = small(SMALL._replace(dropout=0.5)).blocks[1].train()
    (block.mlp.dropout if place == "attention" else block.dropout).p = 0.0
    c, table = torch.randn(2, 24, dtype=torch.float64), torch.ones(2, 6, 12, dtype=torch.float64)
    x = torch.randn(2, 6, 24, dtype=torch.float64)
    assert not torch.equal(block(x, c, table), block(x, c, table))


def test_a_block_is_two_gated_residual_branches_in_the_order_of_dit():
    block = small().blocks[0]
    x, c = torch.randn(2, 6, 24, dtype=torch.float64), torch.randn(2, 24, dtype=torch.float64)
    table = small().table[:, 3:]
    rows = (c @ block.modulation.weight.T + block.modulation.bias).reshape(2, 6, 1, 24)
    y = x + rows[:, 2] * block.attention(block.norm1(x) * (1 + rows[:, 1]) + rows[:, 0], table)
    y = y + rows[:, 5] * block.mlp(block.norm2(y) * (1 + rows[:, 4]) + rows[:, 3])
    torch.testing.assert_close(block(x, c, table), y)


def test_gradient_reaches_every_parameter():
    network = small()
    network(*inputs()).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert (parameter.grad != 0).float().mean() > 0.99, name


def test_weights_are_drawn_as_in_jit():
    network = build(Model(), image_size=64, classes=10, generator=torch.Generator().manual_seed(0), checkpointing=False)
    for name, weight in network.named_parameters():
        if name.startswith(("label", "context", "time")) and not name.endswith("bias"):
            assert weight.std().item() == pytest.approx(0.02, rel=0.1), name
        elif "norm" in name:
            assert (weight == 1).all(), name
        elif name.endswith("bias") or "modulation" in name or name == "final.linear.weight":
            assert (weight == 0).all(), name
        else:
            bound = math.sqrt(
                6 / sum(weight.shape)
            )  # Xavier: uniform within the bound, as the whole matrix's shape says
            assert 0.98 * bound < weight.abs().max() <= bound, name


def test_weights_depend_on_the_generator_alone():
    def weights(seed: int) -> torch.Tensor:
        torch.randn(seed + 1)  # torch's own generator stands elsewhere each time
        generator = torch.Generator().manual_seed(seed // 10)
        network = build(Model(), image_size=64, classes=3, generator=generator, checkpointing=False)
        return torch.cat([parameter.flatten() for parameter in network.parameters()])

    assert torch.equal(weights(10), weights(11))
    assert not torch.equal(weights(10), weights(20))


def test_pca_directions_become_the_first_channels_with_the_gain_of_xavier():
    network = small(trained=False)
    before = network.embed.reduce.weight.clone()
    directions = torch.linalg.qr(torch.randn(PATCH_DIM, 3, dtype=torch.float64)).Q
    network.initialise_from_pca(directions)
    after = network.embed.reduce.weight
    torch.testing.assert_close(after[:3], directions.T * math.sqrt(2 * 27 / (27 + 5)))
    assert torch.equal(after[3:], before[3:])
    assert after.requires_grad
    # Xavier-uniform entries have the variance 2 / (in + out); so have these rows, of norm 1 before the gain.
    torch.testing.assert_close(after[:3].square().mean(dim=1), torch.full((3,), 2 / (27 + 5), dtype=torch.float64))


def test_no_pca_directions_change_nothing_and_too_many_are_an_error():
    network = small()
    before = network.embed.reduce.weight.clone()
    network.initialise_from_pca(torch.empty(PATCH_DIM, 0, dtype=torch.float64))
    assert torch.equal(network.embed.reduce.weight, before)
    with pytest.raises(ValueError, match="6 PCA directions for a bottleneck of 5"):
        network.initialise_from_pca(torch.eye(PATCH_DIM, 6, dtype=torch.float64))


def test_the_gain_of_the_large_network_is_the_official_one():
    size = SIZES["H"]
    network = JiT(size._replace(depth=1), patch_dim=768, grid=(1, 1), classes=1, checkpointing=False)
    network.initialise_from_pca(torch.eye(768, 8))
    assert network.embed.reduce.weight[0, 0].item() == pytest.approx(1.2247, abs=1e-4)


def test_checkpointing_changes_neither_the_output_nor_the_gradients():
    results = []
    for checkpointing in (False, True):
        network = small(SMALL._replace(dropout=0.5), checkpointing=checkpointing).train()
        torch.manual_seed(3)
        output = network(*inputs())
        output.square().sum().backward()
        results.append([output, *(parameter.grad for parameter in network.parameters())])
    torch.testing.assert_close(*results)


def test_bfloat16_autocast_stays_close_to_float32():
    network = small().float()
    arguments = inputs(dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        output = network(*arguments)
        tokens = block_inputs(network, *arguments)
    assert output.dtype == torch.float32
    assert {t.dtype for t in tokens} == {torch.float32}
    exact = network(*arguments)
    assert (output - exact).norm() < 0.02 * exact.norm()  # bfloat16 has 8 bits: some 0.4 % for each of a few roundings


def test_tables_are_not_part_of_the_weights():
    network = small()
    assert set(network.state_dict()) == {name for name, _ in network.named_parameters()}


def test_an_image_that_patches_do_not_tile_is_an_error():
    with pytest.raises(ValueError, match="Image size 60 is not a multiple of patch_size 16"):
        build(Model(), image_size=60, classes=2, generator=None, checkpointing=False)


COMPILED = """
import torch
from asymflow.config.model import Size
from asymflow.models.jit import JiT

size = Size(width=16, depth=2, heads=2, bottleneck=5, dropout=0.0, context=1, enters=1)
network = JiT(size, patch_dim=12, grid=(2, 3), classes=2, checkpointing=True)
for parameter in network.parameters():
    torch.nn.init.normal_(parameter, std=0.3)
arguments = torch.randn(2, 6, 12), torch.rand(2), torch.tensor([0, 2])


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


@pytest.mark.slow
def test_compiled_in_one_graph_it_gives_the_same_output_and_gradients():
    # In a process of its own, because pytest's shape checks are code that the compiler cannot follow.
    run = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
