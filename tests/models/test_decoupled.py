"""JiT with the decoder of DDT."""

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
from torch.nn.functional import silu

from asymflow.models.decoupled import Decoupled
from asymflow.models.jit import Block, FinalLayer


def small(size=SMALL, shapes=EVERYTHING, *, decoder=1, trained=True, checkpointing=False):
    """A float64 network, as drawn or with every parameter moved as training would."""
    options = {"dimension": PATCH_DIM, "grid": GRID, "shapes": shapes, "checkpointing": checkpointing}
    network = Decoupled(size, decoder, **options)
    if trained:
        return moved(network)
    network.initialise(torch.Generator().manual_seed(0))
    return network.double()


@pytest.mark.parametrize(("shapes", "joining"), CONDITIONS.values(), ids=CONDITIONS)
@pytest.mark.parametrize("bottleneck", [0, 5])
def test_told_anything_it_gives_patches_and_starts_as_zero(shapes, joining, bottleneck):
    given, size = (*inputs()[:2], everything_shown()), SMALL._replace(bottleneck=bottleneck)
    network = small(size, shapes)
    out = network(*given)
    assert out.shape == given[0].shape and out.abs().min() > 0
    assert torch.equal(small(size, shapes, trained=False)(*given), torch.zeros_like(out))
    assert [tokens.shape[1] for tokens in block_inputs(network, *given)] == [6, 6, 6 + joining, 6, 6]


@pytest.mark.parametrize("decoder", [1, 2])
def test_the_decoder_is_told_what_the_encoder_gives_and_sees_the_patch_again(decoder):
    network, (x, t, _), condition = small(SMALL._replace(depth=5), decoder=decoder), inputs(), everything_shown()
    told = []
    for module in (*network.blocks, network.final):
        module.register_forward_pre_hook(lambda _, arguments: told.append(arguments[1]))
    last = []
    network.blocks[4 - decoder].register_forward_hook(lambda _, __, output: last.append(output[:, -6:]))
    seen = block_inputs(network, x, t, condition)
    c = silu(network.time(t) + (network.label(condition) + network.reader.embedding(condition)))
    z = silu(network.time(t)[:, None] + last[0])
    assert all(torch.equal(given, c) for given in told[: 5 - decoder])
    assert all(torch.equal(given, z) for given in told[5 - decoder :])
    assert torch.equal(seen[5 - decoder], network.again(x))


def test_a_condition_that_is_the_same_for_all_tokens_modulates_as_one_that_they_share():
    generator = torch.Generator().manual_seed(3)
    x, c = torch.randn(2, 6, 24, generator=generator), torch.randn(2, 24, generator=generator)
    table, each = torch.ones(2, 6, 12), c[:, None].expand(2, 6, 24)
    block = moved(Block(width=24, heads=2, hidden=None, dropout=0.0)).float()
    final = moved(FinalLayer(width=24, patch_dim=PATCH_DIM)).float()
    torch.testing.assert_close(block(x, each, table), block(x, c, table))
    torch.testing.assert_close(final(x, each), final(x, c))
    other = each.clone()
    other[:, 2] += 1
    assert (final(x, other) - final(x, c)).abs().amax((0, 2)).gt(1e-3).tolist() == [i == 2 for i in range(6)]


def test_a_patch_reaches_the_output_past_an_encoder_that_forgets_it():
    x, t, condition = inputs()
    network = small(shapes=CLASS)
    network.blocks[2].register_forward_hook(lambda _, __, output: torch.zeros_like(output))
    assert (network(x + 1, t, condition) - network(x, t, condition)).abs().max() > 1e-3
    torch.nn.init.zeros_(network.again.reduce.weight)
    assert torch.equal(network(x + 1, t, condition), network(x, t, condition))


def test_both_embeddings_can_begin_as_principal_directions():
    for bottleneck, rows in ((5, 5), (0, 24)):
        network = small(SMALL._replace(bottleneck=bottleneck), trained=False)
        before, directions = network.again.reduce.weight[3:].clone(), torch.eye(PATCH_DIM)[:, 2:5]
        network.start_from(directions)
        for embedding in (network.embed, network.again):
            weight = embedding.reduce.weight
            assert weight.shape == (rows, PATCH_DIM)
            assert torch.equal(weight[:3] / weight[:3].norm(dim=1, keepdim=True), directions.T.double())
        assert torch.equal(network.again.reduce.weight[3:], before)


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


@pytest.mark.slow
def test_compiled_in_one_graph_it_gives_the_same_output_and_gradients():
    compiled("decoupled", "Decoupled(size, 1, ")
