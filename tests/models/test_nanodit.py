"""NanoDiT: the published size, its conditions, and the tokens that bypass its blocks."""

import math
from dataclasses import replace

import pytest
import torch

from asymflow.config.conditions import MODALITIES
from asymflow.config.nanodit import NanoDiT as Config
from asymflow.models.condition import Condition, Shapes, example, presence
from asymflow.models.cost import gflops, parameters
from asymflow.models.nanodit import NanoDiT, build

GRID, N, D = (3, 5), 15, 48
PRX = Shapes(caption=(4, 5), embedding=6, patches=(9, 7))  # what prx-tg is told, without joints
EVERYTHING = Shapes(classes=4, caption=(4, 5), embedding=6, patches=(9, 7), joints=2)
CONDITIONS = {  # every set of them
    "class": Shapes(classes=4),
    "caption": Shapes(caption=(4, 5)),
    "embedding": Shapes(embedding=6),
    "patches": Shapes(patches=(9, 7)),
    "joints": Shapes(joints=2),
    "all": EVERYTHING,
    "none": Shapes(),
}
TENSORS = {"class": "label", "caption": "text", "embedding": "embedding", "patches": "patches", "joints": "joints"}
PUBLISHED = Shapes(caption=(512, 1024), embedding=1024, patches=(4096, 1024), joints=133)


def network(shapes: Shapes = PRX, *, moved: bool = True, checkpointing: bool = False, **changes) -> NanoDiT:
    made = build(
        Config(**changes), dimension=D, grid=GRID, shapes=shapes, generator=torch.Generator().manual_seed(0),
        checkpointing=checkpointing,
    )  # fmt: skip
    if moved:  # the modulations and the last convolution start at zero, which hides what they do
        generator = torch.Generator().manual_seed(1)
        for parameter in made.parameters():
            parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
    return made.double()


def inputs(b: int = 3, **changes) -> tuple[torch.Tensor, torch.Tensor, Condition]:
    """Noisy patches, noise levels, and a condition with every part shown, the captions of different lengths."""
    generator = torch.Generator().manual_seed(2)

    def draw(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    condition = Condition(
        present=presence(MODALITIES, b), grid=GRID, label=torch.arange(b), text=draw(b, 4, 5),
        mask=torch.arange(4) < torch.tensor([4, 2, 3])[:b, None], embedding=draw(b, 6), patches=draw(b, 9, 7),
        joints=draw(b, 2, 3).abs() + 0.1,
    )  # fmt: skip
    return draw(b, N, D), draw(b).sigmoid(), replace(condition, **changes)


def changed(condition: Condition, name: str, image: int) -> Condition:
    """The same with another class, caption, embedding, patch tokens or joints for one image."""
    values = getattr(condition, TENSORS[name]).clone()
    values[image] = (values[image] + 1) % 4 if name == "class" else values[image] + 1
    return replace(condition, **{TENSORS[name]: values})


def hidden(condition: Condition, name: str) -> Condition:
    return replace(condition, present=condition.present & torch.tensor([other != name for other in MODALITIES]))


@pytest.mark.parametrize(
    ("size", "count"),
    [
        ("production", 239_571_540 - 768 * 1024),  # the published count has the projector of alignment, 768 x 1024
        ("small", 41_229_012),  # without one
    ],
)
def test_it_has_the_published_code_s_parameters(size, count):
    with torch.device("meta"):
        made = build(
            Config(size=size), dimension=768, grid=(64, 64), shapes=PUBLISHED, generator=None, checkpointing=False
        )
    assert parameters(made) == count


@pytest.mark.parametrize("shapes", CONDITIONS.values(), ids=CONDITIONS)
def test_told_any_set_of_conditions_it_gives_patches_of_the_type_of_the_input(shapes):
    x, t, condition = inputs()
    out = network(shapes)(x, t, condition)
    assert out.shape == x.shape and out.dtype == torch.float64 and out.abs().max() > 1e-3


def test_modulations_that_start_at_zero_let_time_and_image_act_as_a_token_alone():
    made, drawn = network(moved=False), network(modulation_start="xavier", moved=False)
    c = torch.randn(2, 192, dtype=torch.float64)
    assert all((m == 0).all() for m in made.modulation(c))
    assert all((m != 0).any() for m in drawn.modulation(c))


@pytest.mark.parametrize("name", MODALITIES)
@pytest.mark.parametrize("together", [False, True], ids=["alone", "with all others"])
def test_a_shown_condition_is_read_and_a_hidden_one_is_not(name, together):
    made = network(EVERYTHING if together else CONDITIONS[name])
    x, t, condition = inputs()
    moved = (made(x, t, changed(condition, name, 1)) - made(x, t, condition)).abs().amax((1, 2))
    assert moved[1] > 1e-6
    torch.testing.assert_close(moved[[0, 2]], torch.zeros(2, dtype=torch.float64))
    without = hidden(condition, name)
    assert torch.equal(made(x, t, hidden(changed(condition, name, 1), name)), made(x, t, without))
    assert not torch.allclose(made(x, t, without), made(x, t, condition))


@pytest.mark.parametrize("part", ["x", "t"])
def test_output_of_an_image_depends_on_its_patches_and_noise_level_and_on_no_other_image(part):
    made, (x, t, condition) = network(), inputs()
    before = made(x, t, condition)
    (x if part == "x" else t)[1] += 0.1
    moved = (made(x, t, condition) - before).abs().amax(-1)
    assert (moved[1] > 1e-6).all()
    torch.testing.assert_close(moved[[0, 2]], torch.zeros(2, N, dtype=torch.float64))


def test_padding_is_not_read():
    made, (x, t, condition) = network(), inputs()
    padded = condition.text.clone()
    padded[1, 2:] += 1
    torch.testing.assert_close(made(x, t, replace(condition, text=padded)), made(x, t, condition))
    padded[1, 1] += 1
    assert not torch.allclose(made(x, t, replace(condition, text=padded))[1], made(x, t, condition)[1])


def test_a_hidden_caption_keeps_its_length_as_in_the_public_code():
    made, (x, t, condition) = network(), inputs()
    without = hidden(condition, "caption")
    longer = replace(without, mask=torch.ones(3, 4, dtype=torch.bool))
    moved = (made(x, t, longer) - made(x, t, without)).abs().amax((1, 2))
    assert moved[0] == 0 and (moved[1:] > 1e-9).all()


def test_undetected_joints_are_null_tokens():
    made, (x, t, condition) = network(EVERYTHING), inputs()
    faint = condition.joints.clone()
    faint[..., 2] = 0.01
    torch.testing.assert_close(made(x, t, replace(condition, joints=faint)), made(x, t, hidden(condition, "joints")))


@pytest.mark.parametrize("name", ["class", "joints"])
def test_an_untold_network_reads_nothing_of_what_a_condition_holds(name):
    made, (x, t, condition) = network(), inputs()
    assert torch.equal(made(x, t, changed(condition, name, 1)), made(x, t, condition))


@pytest.mark.parametrize("mixer", ["attention", "scan"])
def test_a_token_that_bypasses_the_middle_blocks_is_not_seen_by_those_that_do_not(mixer):
    """Only the first and the last block see it, so without the last one nothing else depends on it."""
    made, (x, t, condition) = network(mixer=mixer), inputs(visible=torch.tensor([0, 2, 3, 8]))
    seen = []
    made.blocks[2].register_forward_hook(lambda block, inputs, output: seen.append(output))
    made.blocks[0].mixer.register_forward_hook(lambda block, inputs, output: 0 * output)
    other = x.clone()
    other[:, 4] += 1
    made(x, t, condition)
    made(other, t, condition)
    assert seen[0].shape[1] == 4
    torch.testing.assert_close(seen[0], seen[1])


def test_routing_changes_the_output_and_all_tokens_visible_is_no_routing():
    made, (x, t, condition) = network(), inputs()
    dense = made(x, t, condition)
    assert not torch.allclose(dense, made(x, t, replace(condition, visible=torch.arange(N - 1))))
    torch.testing.assert_close(dense, made(x, t, replace(condition, visible=torch.arange(N))))


def test_each_block_may_have_its_own_modulation_or_a_low_rank_update_of_a_shared_one():
    own, shared = network(moved=False), network(modulation="shared", modulation_rank=2, moved=False)
    width, depth = 192, 4
    saved = depth * 6 * width**2 - (6 * width**2 + depth * 2 * 7 * width)  # matrices; the biases are the same
    assert parameters(own) - parameters(shared) == saved
    c = torch.randn(2, width, dtype=torch.float64)
    assert all((m == 0).all() for m in shared.modulation(c))
    for layer in shared.modulation.up:
        torch.nn.init.normal_(layer.weight)
    first, second, *_ = shared.modulation(c)
    assert torch.linalg.matrix_rank(shared.modulation.up[0].weight @ shared.modulation.down[0].weight) == 2
    assert not torch.allclose(first, second)


@pytest.mark.parametrize("part", CONDITIONS)
def test_every_parameter_is_trained_but_queries_where_there_is_one_token_to_attend_to(part):
    made, (x, t, condition) = network(CONDITIONS[part]), inputs()
    condition.present[0] = False
    made(x, t, condition).square().sum().backward()
    silent = [name for name, p in made.named_parameters() if p.grad is None or not p.grad.any()]
    alone = part in ("class", "embedding", "none")  # these join the time's token
    assert silent == ([f"blocks.{i}.cross.q.weight" for i in range(4)] if alone else [])


def test_recomputed_blocks_give_the_same_output_and_gradient():
    plain, recomputed = network(), network(checkpointing=True)
    (x, t, condition), outputs = inputs(visible=torch.tensor([0, 2, 3, 8])), []
    for made in (plain, recomputed):
        outputs.append(made(x, t, condition))
        outputs[-1].square().sum().backward()
    torch.testing.assert_close(*outputs)
    for one, other in zip(plain.parameters(), recomputed.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_fewer_visible_tokens_cost_less():
    made, one = network().float(), (torch.randn(1, N, D), torch.rand(1), example(PRX, GRID))
    dense, routed = (gflops(made, *one[:2], replace(one[2], visible=seen)) for seen in (None, torch.arange(4)))
    assert routed < dense


@pytest.mark.parametrize("shapes", [PRX, Shapes(classes=4)], ids=["prx", "class"])
def test_principal_components_become_the_first_channels_and_none_are_frozen(shapes):
    """With the gain of Xavier; the embedding has 192 channels, more than a patch has numbers."""
    made, plain = network(shapes, moved=False), network(shapes, moved=False)
    directions = torch.linalg.qr(torch.randn(D, 7, dtype=torch.float64)).Q
    made.start_from(directions)
    torch.testing.assert_close(made.embed.weight[:7], directions.T * math.sqrt(2 * D / (D + 192)))
    assert torch.equal(made.embed.weight[7:], plain.embed.weight[7:]) and made.embed.weight.requires_grad
    others = {name for name, _ in made.named_parameters()} - {"embed.weight"}
    assert all(torch.equal(made.get_parameter(name), plain.get_parameter(name)) for name in others)


def test_weights_depend_on_the_generator_alone():
    def weights(seed):
        torch.rand(3)  # torch's own generator stands elsewhere each time
        made = build(
            Config(), dimension=D, grid=GRID, shapes=EVERYTHING, generator=torch.Generator().manual_seed(seed),
            checkpointing=False,
        )  # fmt: skip
        return torch.cat([parameter.flatten() for parameter in made.parameters()])

    assert torch.equal(weights(1), weights(1)) and not torch.equal(weights(1), weights(2))


def test_bfloat16_autocast_stays_close_to_float32():
    made, (x, t, condition) = network().float(), inputs()
    condition = replace(
        condition, text=condition.text.float(), embedding=condition.embedding.float(), patches=condition.patches.float()
    )
    given = x.float(), t.float(), condition
    with torch.autocast("cpu", torch.bfloat16):
        output = made(*given)
    exact = made(*given)
    assert output.dtype == torch.float32
    # bfloat16 has 8 bits: some 0.4 % for each of a few roundings, and the time enters in thousandths
    assert (output - exact).norm() < 0.03 * exact.norm()
