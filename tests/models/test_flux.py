"""FLUX.2's transformer under captions: made, lifted, adapted, with a head, and read from a folder."""

import math
from dataclasses import replace

import pytest
import torch

from asymflow.config.flux import Flux as Config
from asymflow.config.start import Adapter, Head
from asymflow.models.condition import Condition, Shapes, presence
from asymflow.models.flux import adapt, behead, build, frozen, grid_positions, lift, pretrained
from asymflow.subspace.bases import random_basis

CONFIG = Config(heads=2, head_width=8, double_blocks=1, single_blocks=2)
ADAPTER = Adapter(rank=4, alpha=4.0, dropout=0.0)
TOKEN, TEXT, B, ROWS, COLUMNS = 6, 5, 2, 3, 5
CAPTIONS = Shapes(caption=(4, TEXT))


def network(trained=True, checkpointing=False):
    torch.manual_seed(0)
    made = build(
        CONFIG, dimension=TOKEN, grid=(ROWS, COLUMNS), shapes=CAPTIONS, generator=None, checkpointing=checkpointing
    )
    return (moved(made) if trained else made).eval()


def moved(made):
    for parameter in made.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return made


def inputs(token=TOKEN, grid=(ROWS, COLUMNS), shown=("caption",)):
    torch.manual_seed(1)
    x, t = torch.randn(B, grid[0] * grid[1], token), torch.rand(B)
    return x, t, Condition(presence(shown, B), grid, text=torch.randn(B, 4, TEXT), empty=torch.randn(4, TEXT))


def test_it_starts_as_zero_and_learns():
    made = network(trained=False)
    assert torch.equal(made(*inputs()), torch.zeros(B, ROWS * COLUMNS, TOKEN))
    made(*inputs()).sum().backward()
    assert made.flux.proj_out.weight.grad.abs().max() > 0


def test_all_inputs_matter():
    made, (x, t, condition) = network(), inputs()
    plain = made(x, t, condition)
    assert plain.shape == x.shape
    others = ((x + 1, t, condition), (x, t / 2, condition), (x, t, replace(condition, text=-condition.text)))
    for changed in (*others, (x, t, replace(condition, grid=(COLUMNS, ROWS)))):
        assert (made(*changed) - plain).abs().max() > 1e-4


def test_a_hidden_caption_is_the_empty_one_and_is_not_read():
    made, (x, t, condition) = network(), inputs()
    half = replace(condition, present=condition.present & torch.tensor([[True], [False]]))
    expected = made(x, t, replace(condition, text=torch.stack([condition.text[0], condition.empty])))
    assert torch.equal(made(x, t, half), expected)
    assert torch.equal(
        made(x, t, replace(half, text=condition.text + torch.tensor([0.0, 1.0])[:, None, None])), expected
    )
    assert (made(x, t, replace(half, empty=condition.empty + 1)) - expected).abs().amax((1, 2))[1] > 1e-4


def test_a_shown_caption_is_read_whole_whatever_the_empty_one_is():
    made, (x, t, condition) = network(), inputs()
    plain = made(x, t, condition)
    for word in range(4):
        changed = condition.text.clone()
        changed[1, word] += 1
        difference = (made(x, t, replace(condition, text=changed)) - plain).abs().amax((1, 2))
        assert difference[1] > 1e-4 and difference[0] == 0
    assert torch.equal(made(x, t, replace(condition, empty=condition.empty + 1)), plain)


def test_it_takes_any_grid():
    made = network()
    for grid in ((1, 2), (4, 3)):
        x, t, condition = inputs(grid=grid)
        assert made(x, t, condition).shape == x.shape


def test_positions_are_those_of_flux_2():
    assert grid_positions(2, 3)[4].tolist() == [0, 1, 1, 0] and grid_positions(2, 3)[2].tolist() == [0, 0, 2, 0]


def test_a_lifted_network_sees_the_subspace_alone():
    A = random_basis(12, seed=0)[:, :TOKEN].float()
    latent, pixel = network(), network()
    lift(pixel, A)
    x, *rest = inputs(token=12)
    assert latent.width == pixel.width == CONFIG.first_channels
    assert torch.allclose(pixel(x, *rest), latent(x @ A, *rest) @ A.T, atol=1e-5)
    outside = x - x @ A @ A.T
    assert torch.allclose(pixel(x + outside, *rest), pixel(x, *rest), atol=1e-4)
    assert pixel.flux.config.in_channels == 12, "so that a saved model can be read again"


def test_an_adapted_network_starts_as_it_was_and_gives_the_frozen_one_back():
    made = network()
    before = made(*inputs())
    adapt(made, ADAPTER)
    assert torch.allclose(made(*inputs()), before, atol=1e-6)
    for parameter in made.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn_like(parameter)
    assert (made(*inputs()) - before).abs().max() > 1e-3
    with frozen(made):
        assert torch.equal(made(*inputs()), before)
    assert (made(*inputs()) - before).abs().max() > 1e-3


def test_what_is_trained_is_what_the_paper_trains():
    made = network()
    adapt(made, ADAPTER)
    trained = [name for name, parameter in made.named_parameters() if parameter.requires_grad]
    adapters = {name.split(".lora_")[0].removeprefix("flux.base_model.model.") for name in trained if ".lora_" in name}
    single = {f"single_transformer_blocks.{i}.attn.to_out" for i in range(CONFIG.single_blocks)}
    double = {
        f"transformer_blocks.0.{part}.{layer}" for part in ("ff", "ff_context") for layer in ("linear_in", "linear_out")
    }
    time = {f"time_guidance_embed.timestep_embedder.linear_{i}" for i in (1, 2)}
    assert adapters == single | double | time
    full = {name.removeprefix("flux.base_model.model.").split(".")[0] for name in trained if ".lora_" not in name}
    assert full == {"x_embedder", "proj_out", "norm_out"}


def test_gradients_reach_all_that_is_trained_and_nothing_else():
    made = network()
    adapt(made, ADAPTER)
    for name, parameter in made.named_parameters():
        if "lora_B" in name:  # they start at zero, and hide lora_A behind them
            parameter.data += 0.1 * torch.randn_like(parameter)
    made(*inputs()).square().sum().backward()
    for name, parameter in made.named_parameters():
        assert (parameter.grad is not None and parameter.grad.abs().max() > 0) == parameter.requires_grad, name


def test_activations_that_are_not_kept_change_no_gradient():
    plain, recomputed = network(), network(checkpointing=True)
    assert recomputed.flux.gradient_checkpointing and not plain.flux.gradient_checkpointing
    for made in (plain, recomputed):
        made(*inputs()).square().sum().backward()
    for (name, one), other in zip(plain.named_parameters(), recomputed.parameters(), strict=True):
        # float32, by another kernel of attention
        torch.testing.assert_close(other.grad, one.grad, rtol=1e-4, atol=1e-4, msg=name)


def test_a_layer_that_does_not_exist_is_an_error():
    with pytest.raises(ValueError, match=r"no layer of the network is called 'ff\.linear_im'"):
        adapt(network(), Adapter(targets=("ff.linear_im",)))
    with pytest.raises(ValueError, match="head_width is 12; expected a multiple of 8"):
        Config(head_width=12)


@pytest.mark.parametrize("adapted", [False, True])
def test_blocks_are_all_of_them_in_order_and_those_of_an_adapted_network_too(adapted):
    made, seen = network(), []
    if adapted:
        adapt(made, ADAPTER)
    for index, block in enumerate(made.blocks):
        block.register_forward_hook(lambda block, inputs, output, index=index: seen.append(index))
    made(*inputs())
    assert seen == list(range(CONFIG.blocks))


def test_directions_become_the_first_channels_and_none_are_frozen():
    made, directions = network(), torch.linalg.qr(torch.randn(TOKEN, 3)).Q
    before = made.embed.weight.detach().clone()
    made.start_from(directions)
    torch.testing.assert_close(made.embed.weight[:3], directions.T * math.sqrt(2 * TOKEN / (TOKEN + 16)))
    assert torch.equal(made.embed.weight[3:], before[3:]) and made.embed.weight.requires_grad


def beheaded(trained=True):
    torch.manual_seed(2)
    made = behead(network(), random_basis(12, seed=0)[:, :TOKEN].float(), Head(blocks=1, width=16, heads=2))
    return (moved(made) if trained else made).eval()


def test_a_head_in_place_of_the_last_layers_gives_pixel_patches_and_starts_as_zero():
    x, t, condition = inputs(token=12)
    assert torch.equal(beheaded(trained=False)(x, t, condition), torch.zeros_like(x))
    out = beheaded()(x, t, condition)
    assert out.shape == x.shape
    for changed in (
        (x + 1, t, condition),
        (x, t / 2, condition),
        (x, t, replace(condition, grid=(COLUMNS, ROWS))),
        (x, t, condition.only()),
    ):
        assert (beheaded()(*changed) - out).abs().max() > 1e-4


def test_an_adapter_leaves_the_head_to_be_trained_whole():
    made = beheaded()
    before = made(*inputs(token=12))
    adapt(made, Adapter(rank=4, alpha=4.0, dropout=0.0, full=("x_embedder",)))
    torch.testing.assert_close(made(*inputs(token=12)), before)
    trained = {name for name, parameter in made.named_parameters() if parameter.requires_grad}
    assert {f"head.{name}" for name, _ in made.head.named_parameters()} <= trained
    assert not any("proj_out" in name or "norm_out" in name for name in trained)
    assert any("x_embedder" in name for name in trained) and any("lora_" in name for name in trained)


def test_the_flux_2_in_a_folder_is_read_as_diffusers_reads_it(klein):
    from diffusers import Flux2Transformer2DModel

    shapes = Shapes(caption=(4, 24))
    made = pretrained(klein, dimension=16, shapes=shapes, precision=torch.float32, checkpointing=False)
    published = Flux2Transformer2DModel.from_pretrained(klein / "transformer")
    assert all(torch.equal(p, q) for p, q in zip(made.flux.parameters(), published.parameters(), strict=True))
    assert made.width == 16 and len(made.blocks) == 2
    recomputed = pretrained(klein, dimension=16, shapes=shapes, precision=torch.bfloat16, checkpointing=True)
    assert recomputed.flux.gradient_checkpointing and recomputed.embed.weight.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("dimension", "channels", "sentence"),
    [
        (12, 24, "takes image tokens of 16 numbers, but those encoded here have 12; all parts of latent.model"),
        (16, 20, "takes text tokens of 24 numbers, but those encoded here have 20; all parts of latent.model"),
    ],
)
def test_tokens_of_another_model_are_an_error(klein, dimension, channels, sentence):
    shapes = Shapes(caption=(4, channels))
    with pytest.raises(ValueError, match=sentence):
        pretrained(klein, dimension=dimension, shapes=shapes, precision=torch.float32, checkpointing=False)
