"""The plain DiT with U-ViT's long skips."""

from dataclasses import replace

import pytest
import torch

from asymflow.config.conditions import MODALITIES
from asymflow.config.dit import DiT as Config
from asymflow.models.condition import Condition, Shapes, presence
from asymflow.models.dit import build

GRID, DIMENSION, B = (2, 3), 12, 4
SHAPES = Shapes(classes=3, caption=(5, 6), embedding=7, patches=(8, 9), joints=2)
TENSORS = {"class": "label", "caption": "text", "embedding": "embedding", "patches": "patches", "joints": "joints"}


def made(*, skips=True, depth=4, shapes=SHAPES, trained=True, checkpointing=False):
    """A float64 network, as drawn or with every parameter moved as training would."""
    generator = torch.Generator().manual_seed(0)
    config = Config(width=16, depth=depth, heads=2, skips=skips)
    network = build(
        config, dimension=DIMENSION, grid=GRID, shapes=shapes, generator=generator, checkpointing=checkpointing
    )
    for parameter in network.parameters() if trained else ():
        parameter.data += 0.2 * torch.randn(parameter.shape, generator=generator)
    return network.double()


def inputs():
    generator = torch.Generator().manual_seed(1)

    def draw(*shape):
        return torch.randn(B, *shape, generator=generator, dtype=torch.float64)

    condition = Condition(
        presence(MODALITIES, B), GRID, label=torch.arange(B) % 3, text=draw(5, 6), mask=torch.ones(B, 5, dtype=torch.bool),
        embedding=draw(7), patches=draw(8, 9), joints=draw(2, 3).abs() + 0.1,
    )  # fmt: skip
    return draw(6, DIMENSION), torch.linspace(0.1, 1, B, dtype=torch.float64), condition


def entering(network, *given):
    """The tokens that enter each block, and those that leave the last."""
    seen = []
    for block in network.blocks:
        block.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    network.blocks[-1].register_forward_hook(lambda _, __, output: seen.append(output))
    network(*given)
    return seen


@pytest.mark.parametrize("skips", [False, True])
def test_its_output_is_zero_before_training_and_has_the_shape_of_the_patches(skips):
    x, t, condition = inputs()
    assert torch.equal(made(skips=skips, trained=False)(x, t, condition), torch.zeros_like(x))
    out = made(skips=skips)(x, t, condition)
    assert out.shape == x.shape and out.abs().min() > 0


def test_without_skips_every_block_begins_as_the_identity():
    seen = entering(made(skips=False, trained=False), *inputs())
    assert all(torch.equal(seen[0], tokens) for tokens in seen)


@pytest.mark.parametrize(("depth", "pairs"), [(4, [(0, 3), (1, 2)]), (5, [(0, 4), (1, 3)]), (1, [])])
def test_the_tokens_that_enter_a_block_join_those_of_the_block_that_mirrors_it(depth, pairs):
    network = made(depth=depth)
    joined = []
    for join in network.joins:
        join.register_forward_pre_hook(lambda _, arguments: joined.append(arguments[0]))
    seen = entering(network, *inputs())
    assert len(joined) == len(pairs)
    for both, (early, late) in zip(tuple(joined), reversed(pairs), strict=True):
        assert torch.equal(both[..., 16:], seen[early])
        assert torch.equal(seen[late], network.joins[late - depth + len(pairs)](both))


def test_a_skip_carries_what_the_middle_has_lost():
    """With blocks in the middle that forget everything, the input still reaches the output, but only by a skip."""
    x, t, condition = inputs()
    for skips in (False, True):
        network = made(skips=skips)
        network.blocks[1].register_forward_hook(lambda _, __, output: torch.zeros_like(output))
        moved = network(x + 1, t, condition) - network(x, t, condition)
        assert (moved.abs().max() > 1e-3) == skips


@pytest.mark.parametrize("name", MODALITIES)
def test_a_shown_condition_is_read_and_a_hidden_one_is_not(name):
    network, (x, t, condition) = made(), inputs()
    values = getattr(condition, TENSORS[name]).clone()
    values[1] = (values[1] + 1) % 3 if name == "class" else values[1] + 1
    other = replace(condition, **{TENSORS[name]: values})
    moved = (network(x, t, other) - network(x, t, condition)).abs().amax((1, 2))
    assert moved[1] > 1e-6 and moved[[0, 2, 3]].max() < 1e-12
    hidden = [c.only(*(n for n in MODALITIES if n != name)) for c in (condition, other)]
    assert torch.equal(network(x, t, hidden[0]), network(x, t, hidden[1]))


def test_the_noise_level_and_the_place_of_a_patch_matter():
    network, (x, t, condition) = made(), inputs()
    out = network(x, t, condition)
    assert not torch.allclose(network(x, t / 2, condition), out)
    assert not torch.allclose(network(x.flip(1), t, condition).flip(1), out)


def test_a_network_that_is_told_nothing_has_no_parameters_for_it():
    names = dict(made(shapes=Shapes()).named_parameters())
    assert not [name for name in names if name.startswith(("label", "reader"))]


def test_recomputed_blocks_give_the_same_gradients():
    x, t, condition = inputs()
    gradients = []
    for checkpointing in (False, True):
        network = made(checkpointing=checkpointing)
        network(x, t, condition).square().sum().backward()
        gradients.append([p.grad for p in network.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_its_patch_embedding_can_begin_as_principal_directions():
    network, directions = made(trained=False), torch.eye(DIMENSION)[:, 2:5]
    network.start_from(directions)
    first = network.embed.weight[:3]
    assert torch.equal(first.sign(), directions.T.double()) and first.max() == first[first > 0].min()
