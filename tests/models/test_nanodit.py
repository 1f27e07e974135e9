"""NanoDiT: the published size, its conditions, and the tokens that bypass its blocks."""

import pytest
import torch

from asymflow.config.nanodit import NanoDiT as Config
from asymflow.models.cost import gflops, parameters
from asymflow.models.nanodit import build

PATCH = Config(patch_size=4)


def network(config=PATCH, start=None, **changes):
    made = build(
        config.model_copy(update=changes), image_size=12, text=5, cls=6, patches=7,
        generator=torch.Generator().manual_seed(0), checkpointing=False,
    )  # fmt: skip
    if start != "untouched":  # the modulations and the last convolution start at zero, which hides what they do
        generator = torch.Generator().manual_seed(1)
        for parameter in made.parameters():
            parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
    return made.double()


def inputs(joints=0, b=3, n=9):
    generator = torch.Generator().manual_seed(2)

    def draw(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    mask = torch.arange(4) < torch.tensor([4, 2, 3])[:, None]
    return {
        "x": draw(b, n, 48), "t": draw(b).sigmoid(), "text": draw(b, 4, 5), "mask": mask, "cls": draw(b, 6),
        "patches": draw(b, 9, 7), "joints": draw(b, joints, 3).abs(), "present": torch.ones(b, 4, dtype=torch.bool),
        "visible": torch.arange(n),
    }  # fmt: skip


def meta(config):
    with torch.device("meta"):
        return build(config, image_size=1024, text=1024, cls=1024, patches=1024, generator=None, checkpointing=False)


def test_the_published_size_has_the_published_code_s_parameters():
    """239 571 540 with the projector of alignment, 768 x 1024, which is not part of the network."""
    assert parameters(meta(Config(size="production", joints=133))) + 768 * 1024 == 239_571_540


def test_the_small_size_has_the_published_code_s_parameters():
    assert parameters(meta(Config(size="small", joints=133))) == 41_229_012


def test_the_output_has_the_shape_and_the_type_of_the_input():
    given = inputs()
    out = network()(**given)
    assert out.shape == given["x"].shape and out.dtype == torch.float64


def test_modulations_that_start_at_zero_let_time_and_image_act_as_a_token_alone():
    made, drawn = network(start="untouched"), network(Config(patch_size=4, start="xavier"), start="untouched")
    c = torch.randn(2, 192, dtype=torch.float64)
    assert all((m == 0).all() for m in made.modulation(c))
    assert all((m != 0).any() for m in drawn.modulation(c))


@pytest.mark.parametrize("modality", ["text", "cls", "patches", "joints"])
def test_a_hidden_condition_changes_nothing_and_a_shown_one_does(modality):
    made, given = network(joints=2), inputs(joints=2)
    column = ["text", "cls", "patches", "joints"].index(modality)
    changed = given | {modality: given[modality] + 1}
    assert not torch.allclose(made(**given), made(**changed))
    given["present"][:, column] = False
    torch.testing.assert_close(made(**given), made(**changed))


def test_padding_is_not_read():
    made, given = network(), inputs()
    changed = given["text"].clone()
    changed[1, 2:] += 1
    torch.testing.assert_close(made(**given), made(**given | {"text": changed}))
    changed[1, 1] += 1
    assert not torch.allclose(made(**given)[1], made(**given | {"text": changed})[1])


def test_undetected_joints_are_null_tokens():
    made, given = network(joints=2), inputs(joints=2)
    faint = given["joints"].clone()
    faint[..., 2] = 0.01
    hidden = given | {"present": given["present"].index_fill(1, torch.tensor([3]), False)}
    torch.testing.assert_close(made(**given | {"joints": faint}), made(**hidden))


@pytest.mark.parametrize("mixer", ["attention", "scan"])
def test_a_token_that_bypasses_the_middle_blocks_is_not_seen_by_those_that_do_not(mixer):
    """Only the first and the last block see it, so without the last one nothing else depends on it."""
    made, given = network(mixer=mixer), inputs()
    seen = []
    made.blocks[2].register_forward_hook(lambda block, inputs, output: seen.append(output))
    made.blocks[0].mixer.register_forward_hook(lambda block, inputs, output: 0 * output)
    visible = torch.tensor([0, 2, 3, 8])
    changed = given["x"].clone()
    changed[:, 4] += 1
    made(**given | {"visible": visible})
    made(**given | {"visible": visible, "x": changed})
    assert seen[0].shape[1] == 4
    torch.testing.assert_close(seen[0], seen[1])


def test_routing_changes_the_output_and_all_tokens_visible_is_no_routing():
    made, given = network(), inputs()
    dense = made(**given)
    assert not torch.allclose(dense, made(**given | {"visible": torch.arange(8)}))
    torch.testing.assert_close(dense, made(**given | {"visible": torch.arange(9)}))


def test_each_block_may_have_its_own_modulation_or_a_low_rank_update_of_a_shared_one():
    own, shared = network(start="untouched"), network(modulation="shared", modulation_rank=2, start="untouched")
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


def test_every_parameter_is_trained():
    made, given = network(joints=2), inputs(joints=2)
    given["present"][0] = False
    made(**given).square().sum().backward()
    assert [name for name, p in made.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_recomputed_blocks_give_the_same_gradient():
    plain, recomputed = network(), network()
    recomputed.checkpointing = True
    for made in (plain, recomputed):
        made(**inputs()).square().sum().backward()
    for one, other in zip(plain.parameters(), recomputed.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_fewer_visible_tokens_cost_less():
    made, given = network().float(), {k: v.float() if v.is_floating_point() else v for k, v in inputs(b=1).items()}
    given["mask"] = given["mask"][:1]
    dense, routed = (gflops(made, *(given | {"visible": torch.arange(v)}).values()) for v in (9, 4))
    assert routed < dense


def test_an_image_that_no_patches_fill_is_an_error():
    with pytest.raises(ValueError, match="image size 14 is not a multiple of patch_size 4"):
        build(PATCH, image_size=14, text=5, cls=6, patches=7, generator=None, checkpointing=False)
