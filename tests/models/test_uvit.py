"""JiT with U-ViT's long skips."""

import pytest
import torch
from networks import (
    CLASS,
    CONDITIONS,
    EVERYTHING,
    GRID,
    PATCH_DIM,
    SMALL,
    block_inputs,
    compiled,
    everything_shown,
    inputs,
    moved,
)

from asymflow.config.uvit import UViT as Config
from asymflow.models import jit, uvit


def small(size=SMALL, shapes=EVERYTHING, *, checkpointing=False):
    """A float64 network with every parameter moved as training would."""
    return moved(uvit.UViT(size, dimension=PATCH_DIM, grid=GRID, shapes=shapes, checkpointing=checkpointing))


def plain(network, size=SMALL, shapes=EVERYTHING):
    """The JiT that has its weights, but for the joins."""
    made = jit.JiT(size, dimension=PATCH_DIM, grid=GRID, shapes=shapes, checkpointing=False).double()
    weights = network.state_dict()
    made.load_state_dict({name: value for name, value in weights.items() if not name.startswith("joins")})
    return made


def without_joins(network):
    """Joins as they are before training; everything else stays moved, so that the output is not 0."""
    for parameter in network.joins.parameters():
        torch.nn.init.zeros_(parameter)
    return network


@pytest.mark.parametrize(("shapes", "_"), CONDITIONS.values(), ids=CONDITIONS)
@pytest.mark.parametrize("depth", [1, 3, 4, 5])
def test_before_the_joins_are_trained_it_is_the_plain_network(shapes, _, depth):
    size, given = SMALL._replace(depth=depth, enters=min(1, depth - 1)), (*inputs()[:2], everything_shown())
    network = small(size, shapes)
    expected = plain(network, size, shapes)(*given)
    assert expected.abs().min() > 0
    if depth > 1:
        assert not torch.allclose(network(*given), expected)
    assert torch.equal(without_joins(network)(*given), expected)


def test_from_the_same_generator_it_begins_as_the_plain_network_weight_for_weight():
    options = {"dimension": PATCH_DIM, "grid": GRID, "shapes": EVERYTHING, "checkpointing": False}
    config = Config()
    made = uvit.build(config, generator=torch.Generator().manual_seed(0), **options).state_dict()
    expected = jit.build(config, generator=torch.Generator().manual_seed(0), **options).state_dict()
    assert {name for name in made if name not in expected} == {
        f"joins.{i}.{n}" for i in (0, 1) for n in ("weight", "bias")
    }
    assert all(torch.equal(made[name], expected[name]) for name in expected)


@pytest.mark.parametrize("enters", [0, 1, 2, 3])
@pytest.mark.parametrize(("depth", "pairs"), [(4, [(0, 3), (1, 2)]), (5, [(0, 4), (1, 3)])])
def test_image_tokens_join_those_of_the_block_that_mirrors_theirs_and_what_else_there_is_passes_by(
    depth, pairs, enters
):
    network, joined = small(SMALL._replace(depth=depth, enters=enters)), []
    for join in network.joins:
        join.register_forward_hook(lambda _, arguments, output: joined.append((*arguments, output)))
    x, t, _ = inputs()
    seen = block_inputs(network, x, t, everything_shown())
    assert [tokens.shape[1] - 6 for tokens in seen] == [network.prefix * (i >= enters) for i in range(depth)] + [0]
    assert len(joined) == len(pairs)
    for (_, skip, output), (early, late) in zip(joined, reversed(pairs), strict=True):
        assert torch.equal(skip, seen[early][:, -6:])
        assert torch.equal(seen[late][:, -6:], output)


@pytest.mark.parametrize("depth", [4, 5])
def test_a_skip_carries_what_the_middle_has_lost(depth):
    """With a block in the middle that forgets everything, the input still reaches the output, but only by a skip."""
    x, t, condition = inputs()
    network = small(SMALL._replace(depth=depth), CLASS)
    network.blocks[depth // 2].register_forward_hook(lambda _, __, output: torch.zeros_like(output))

    def change():
        return (network(x + 1, t, condition) - network(x, t, condition)).abs().max()

    assert change() > 1e-3
    assert without_joins(network) and change() == 0


def test_recomputed_blocks_give_the_same_gradients():
    (x, t, _), gradients = inputs(), []
    for checkpointing in (False, True):
        network = small(checkpointing=checkpointing)
        network(x, t, everything_shown()).square().sum().backward()
        gradients.append([p.grad for p in network.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_every_parameter_learns():
    network, (x, t, _), condition = small(), inputs(), everything_shown()
    condition.present[-1] = False
    network(x, t, condition).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert (parameter.grad != 0).float().mean() > 0.99, name


def test_tokens_stay_float32_under_autocast():
    network, (x, t, condition) = small(shapes=CONDITIONS["none"][0]).float(), inputs(dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert {tokens.dtype for tokens in block_inputs(network, x, t, condition)} == {torch.float32}


@pytest.mark.slow
def test_compiled_in_one_graph_it_gives_the_same_output_and_gradients():
    compiled("uvit", "UViT(size, ")
