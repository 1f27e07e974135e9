import math
from dataclasses import replace

import pytest
import torch
from networks import (
    CLASS,
    CLASSES,
    CONDITIONS,
    EVERYTHING,
    GRID,
    PATCH_DIM,
    SMALL,
    block_inputs,
    compiled,
    everything_shown,
    inputs,
)

from asymflow.config.conditions import MODALITIES
from asymflow.config.jit import SIZES, Size
from asymflow.config.jit import JiT as Config
from asymflow.models.condition import Condition, Shapes
from asymflow.models.jit import JiT, build

TENSORS = {"class": "label", "caption": "text", "embedding": "embedding", "patches": "patches", "joints": "joints"}


def small(size: Size = SMALL, shapes: Shapes = CLASS, *, trained: bool = True, checkpointing: bool = False) -> JiT:
    """A float64 network, as drawn or with every parameter moved as training would."""
    generator = torch.Generator().manual_seed(0)
    network = JiT(size, dimension=PATCH_DIM, grid=GRID, shapes=shapes, checkpointing=checkpointing)
    network.initialise(generator)
    if trained:
        with torch.no_grad():
            for parameter in network.parameters():
                parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
    return network.double()


def changed(condition: Condition, name: str, image: int) -> Condition:
    """The same with another class, caption, embedding, patch tokens or joints for one image."""
    values = getattr(condition, TENSORS[name]).clone()
    values[image] = (values[image] + 1) % CLASSES if name == "class" else values[image] + 1
    return replace(condition, **{TENSORS[name]: values})


def hidden(condition: Condition, name: str) -> Condition:
    return replace(condition, present=condition.present & torch.tensor([other != name for other in MODALITIES]))


def test_output_is_zero_and_every_block_the_identity_before_training():
    network = small(trained=False)
    assert torch.equal(network(*inputs()), torch.zeros_like(inputs()[0]))
    seen = block_inputs(network, *inputs())
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0], seen[-1])  # what enters the final layer is what the patch embedding gave


@pytest.mark.parametrize("part", ["x", "t", "label", "whether the label is shown"])
def test_output_of_an_image_depends_on_each_of_its_inputs_and_on_no_other_image(part):
    network = small()
    x, t, condition = inputs()
    before = network(x, t, condition)
    if part == "x":
        x[1, 2, 3] += 0.5
    elif part == "t":
        t[1] += 0.1
    elif part == "label":
        condition = changed(condition, "class", 1)
    else:
        condition.present[1] = False
    moved = (network(x, t, condition) - before).abs().amax(dim=-1)
    assert (moved[1] > 1e-6).all()
    torch.testing.assert_close(moved[[0, 2, 3, 4]], torch.zeros(4, 6, dtype=torch.float64))


def test_a_label_beyond_the_null_class_is_an_error():
    x, t, condition = inputs()
    condition.label[0] = CLASSES + 1
    with pytest.raises(IndexError):
        small()(x, t, condition)


@pytest.mark.parametrize(("shapes", "joining"), CONDITIONS.values(), ids=CONDITIONS)
def test_told_any_set_of_conditions_it_gives_patches_and_starts_as_zero(shapes, joining):
    x, t, _ = inputs()
    network = small(shapes=shapes)
    out = network(x, t, everything_shown())
    assert out.shape == x.shape and out.dtype == x.dtype and out.abs().max() > 1e-3
    assert torch.equal(small(shapes=shapes, trained=False)(x, t, everything_shown()), torch.zeros_like(x))
    seen = block_inputs(network, x, t, everything_shown())
    assert [tokens.shape[1] for tokens in seen] == [6, 6, 6 + joining, 6 + joining, 6]


@pytest.mark.parametrize("name", MODALITIES)
@pytest.mark.parametrize("together", [False, True], ids=["alone", "with all others"])
def test_a_shown_condition_is_read_and_a_hidden_one_is_not(name, together):
    network = small(shapes=EVERYTHING if together else CONDITIONS[name][0])
    (x, t, _), condition = inputs(), everything_shown()
    moved = (network(x, t, changed(condition, name, 1)) - network(x, t, condition)).abs().amax(dim=-1)
    assert (moved[1] > 1e-6).all()
    torch.testing.assert_close(moved[[0, 2, 3, 4]], torch.zeros(4, 6, dtype=torch.float64))
    without = hidden(condition, name)
    assert torch.equal(network(x, t, hidden(changed(condition, name, 1), name)), network(x, t, without))
    assert not torch.allclose(network(x, t, without), network(x, t, condition))


@pytest.mark.parametrize("shapes", [CONDITIONS["caption"][0], EVERYTHING], ids=["caption", "all"])
def test_padding_of_a_caption_is_not_read_and_a_hidden_caption_has_no_length(shapes):
    network, (x, t, _), condition = small(shapes=shapes), inputs(), everything_shown()
    before = network(x, t, condition)
    padded, longer = condition.text.clone(), condition.mask.clone()
    padded[~condition.mask] += 1
    longer[1] = True
    assert torch.equal(network(x, t, replace(condition, text=padded)), before)
    assert not torch.allclose(network(x, t, replace(condition, mask=longer))[1], before[1])
    without = hidden(condition, "caption")
    assert torch.equal(network(x, t, replace(without, mask=longer)), network(x, t, without))


@pytest.mark.parametrize("name", ["caption", "embedding", "patches", "joints"])
def test_an_untold_network_reads_nothing_of_what_a_condition_holds(name):
    network, (x, t, _), condition = small(), inputs(), everything_shown()
    assert torch.equal(network(x, t, changed(condition, name, 1)), network(x, t, condition))


def test_told_a_class_alone_it_has_the_parameters_of_jit():
    width, hidden_width = 24, 64
    block = {
        "norm1.weight": (width,), "norm2.weight": (width,), "modulation.weight": (6 * width, width),
        "modulation.bias": (6 * width,), "attention.qkv.weight": (3 * width, width), "attention.qkv.bias": (3 * width,),
        "attention.q_norm.weight": (width // 2,), "attention.k_norm.weight": (width // 2,),
        "attention.out.weight": (width, width), "attention.out.bias": (width,),
        "mlp.w12.weight": (2 * hidden_width, width), "mlp.w12.bias": (2 * hidden_width,),
        "mlp.w3.weight": (width, hidden_width), "mlp.w3.bias": (width,),
    }  # fmt: skip
    expected = {
        "label.table.weight": (CLASSES + 1, width), "context": (3, width), "embed.reduce.weight": (5, PATCH_DIM),
        "embed.expand.weight": (width, 5), "embed.expand.bias": (width,), "time.mlp.0.weight": (width, 256),
        "time.mlp.0.bias": (width,), "time.mlp.2.weight": (width, width), "time.mlp.2.bias": (width,),
        "final.norm.weight": (width,), "final.modulation.weight": (2 * width, width),
        "final.modulation.bias": (2 * width,),
        "final.linear.weight": (PATCH_DIM, width), "final.linear.bias": (PATCH_DIM,),
    } | {f"blocks.{i}.{name}": shape for i in range(4) for name, shape in block.items()}  # fmt: skip
    assert {name: tuple(p.shape) for name, p in small().named_parameters()} == expected


def test_what_it_is_not_told_has_no_parameters():
    own = {name: set(dict(small(shapes=shapes).named_parameters())) for name, (shapes, _) in CONDITIONS.items()}
    assert own["class"] - own["none"] == {"label.table.weight", "context"}
    assert own["caption"] - own["none"] == {
        "reader.no_caption",
        "reader.read_caption.weight",
        "reader.read_caption.bias",
    }
    assert own["embedding"] - own["none"] == {
        "reader.no_embedding", "reader.read_embedding.weight", "reader.read_embedding.bias", "context",
    }  # fmt: skip
    assert all(own["none"] < names for name, names in own.items() if name != "none")
    assert set.union(*own.values()) == own["all"]


@pytest.mark.parametrize("shapes", [CLASS, EVERYTHING], ids=["class", "all"])
def test_tokens_know_their_places_through_the_two_position_embeddings_alone(shapes):
    network = small(shapes=shapes)
    (x, t, _), condition = inputs(), everything_shown()
    order = torch.tensor([3, 1, 5, 0, 2, 4])

    def moves_with_the_tokens() -> bool:
        return torch.allclose(network(x[:, order], t, condition), network(x, t, condition)[:, order])

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


def test_captions_patch_tokens_and_joints_stand_between_class_tokens_and_image():
    network, (x, t, _), condition = small(shapes=EVERYTHING), inputs(), everything_shown()
    seen = block_inputs(network, x, t, condition)
    vector = network.label(condition) + network.reader.embedding(condition)
    joined = [vector[:, None] + network.context, *network.reader.tokens(condition), seen[1]]
    after = network.blocks[1](
        seen[1], torch.nn.functional.silu(network.time(t) + vector), network.table[:, network.prefix :]
    )
    torch.testing.assert_close(seen[2], torch.cat([*joined[:-1], after], dim=1))


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


@pytest.mark.parametrize("shapes", [shapes for shapes, _ in CONDITIONS.values()], ids=CONDITIONS)
def test_gradient_reaches_every_parameter(shapes):
    network, (x, t, _), condition = small(shapes=shapes), inputs(), everything_shown()
    condition.present[-1] = False
    network(x, t, condition).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert (parameter.grad != 0).float().mean() > 0.99, name


def built(shapes: Shapes, generator: torch.Generator | None = None) -> JiT:
    generator = generator or torch.Generator().manual_seed(0)
    return build(Config(), dimension=768, grid=(4, 4), shapes=shapes, generator=generator, checkpointing=False)


def test_weights_are_drawn_as_in_jit():
    network = built(Shapes(classes=10, caption=(5, 60), embedding=70, patches=(8, 90), joints=20))
    for name, weight in network.named_parameters():
        if name.startswith(("label", "context", "time")) and not name.endswith("bias"):
            assert weight.std().item() == pytest.approx(0.02, rel=0.1), name
        elif name == "reader.joints.kind":
            assert weight.std().item() == pytest.approx(1, rel=0.1), name
        elif "norm" in name:
            assert (weight == 1).all(), name
        elif name.endswith(("bias", "null")) or "modulation" in name or "no_" in name or name == "final.linear.weight":
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
        network = built(EVERYTHING, generator)
        return torch.cat([parameter.flatten() for parameter in network.parameters()])

    assert torch.equal(weights(10), weights(11))
    assert not torch.equal(weights(10), weights(20))


def test_pca_directions_become_the_first_channels_and_none_are_frozen():
    network = small(trained=False)
    before = network.embed.reduce.weight.clone()
    directions = torch.linalg.qr(torch.randn(PATCH_DIM, 3, dtype=torch.float64)).Q
    network.start_from(directions)
    after = network.embed.reduce.weight
    torch.testing.assert_close(after[:3], directions.T * math.sqrt(2 * 27 / (27 + 5)))
    assert torch.equal(after[3:], before[3:])
    assert after.requires_grad


def test_the_gain_of_the_large_network_is_the_official_one():
    size = SIZES["H"]
    network = JiT(size._replace(depth=1), dimension=768, grid=(1, 1), shapes=Shapes(classes=1), checkpointing=False)
    network.start_from(torch.eye(768, 8))
    assert network.embed.reduce.weight[0, 0].item() == pytest.approx(1.2247, abs=1e-4)


@pytest.mark.parametrize("shapes", [CLASS, EVERYTHING], ids=["class", "all"])
def test_checkpointing_changes_neither_the_output_nor_the_gradients(shapes):
    results = []
    (x, t, _), condition = inputs(), everything_shown()
    for checkpointing in (False, True):
        network = small(SMALL._replace(dropout=0.5), shapes, checkpointing=checkpointing).train()
        torch.manual_seed(3)
        output = network(x, t, condition)
        output.square().sum().backward()
        results.append([output, *(parameter.grad for parameter in network.parameters())])
    torch.testing.assert_close(*results)


@pytest.mark.parametrize("shapes", [CLASS, EVERYTHING], ids=["class", "all"])
def test_bfloat16_autocast_stays_close_to_float32(shapes):
    network, condition = small(shapes=shapes).float(), everything_shown()
    (x, t, _), single = inputs(dtype=torch.float32), ("text", "embedding", "patches", "joints")
    arguments = x, t, replace(condition, **{name: getattr(condition, name).float() for name in single})
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


@pytest.mark.slow
def test_compiled_in_one_graph_it_gives_the_same_output_and_gradients():
    compiled("jit", "JiT(size, ")
