import pytest
import torch

from asymflow.config.transformer import Adapter, Transformer
from asymflow.models.text_transformer import adapt, build, frozen, grid_positions, lift
from asymflow.subspace.bases import random_basis

CONFIG = Transformer(heads=2, head_width=8, double_blocks=1, single_blocks=2)
ADAPTER = Adapter(rank=4, alpha=4.0, dropout=0.0)
TOKEN, TEXT, B, ROWS, COLUMNS = 6, 5, 2, 2, 3


def network(trained=True):
    torch.manual_seed(0)
    made = build(CONFIG, token=TOKEN, text=TEXT)
    if trained:
        for parameter in made.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
    return made.eval()


def inputs(token=TOKEN):
    torch.manual_seed(1)
    return torch.randn(B, ROWS * COLUMNS, token), torch.rand(B), torch.randn(B, 4, TEXT), grid_positions(ROWS, COLUMNS)


def test_it_starts_as_zero_and_learns():
    made = network(trained=False)
    assert torch.equal(made(*inputs()), torch.zeros(B, ROWS * COLUMNS, TOKEN))
    made(*inputs()).sum().backward()
    assert made.flux.proj_out.weight.grad.abs().max() > 0


def test_all_inputs_matter():
    made, (x, t, text, positions) = network(), inputs()
    plain = made(x, t, text, positions)
    assert plain.shape == x.shape
    others = ((x + 1, t, text, positions), (x, t / 2, text, positions), (x, t, -text, positions))
    for changed in (*others, (x, t, text, positions.flip(0))):
        assert (made(*changed) - plain).abs().max() > 1e-4


def test_positions_are_those_of_flux_2():
    assert grid_positions(2, 3)[4].tolist() == [0, 1, 1, 0] and grid_positions(2, 3)[2].tolist() == [0, 0, 2, 0]


def test_a_lifted_network_sees_the_subspace_alone():
    A = random_basis(12, seed=0)[:, :TOKEN].float()
    latent, pixel = network(), network()
    lift(pixel, A)
    x, *rest = inputs(token=12)
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
    made = network()
    made(*inputs()).square().sum().backward()
    kept = {name: parameter.grad for name, parameter in made.named_parameters()}
    made.zero_grad()
    made.flux.enable_gradient_checkpointing()
    made(*inputs()).square().sum().backward()
    for name, parameter in made.named_parameters():
        torch.testing.assert_close(parameter.grad, kept[name], rtol=1e-4, atol=1e-4)


def test_a_layer_that_does_not_exist_is_an_error():
    with pytest.raises(ValueError, match=r"no layer of the network is called 'ff\.linear_im'"):
        adapt(network(), Adapter(targets=("ff.linear_im",)))
    with pytest.raises(ValueError, match="head_width is 12; expected a multiple of 8"):
        Transformer(head_width=12)
