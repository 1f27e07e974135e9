"""Released weights give the function that they gave in their makers' networks."""

from pathlib import Path

import pytest
import torch
from official import OfficialJit, OfficialNanoDit, randomise

from asymflow.config.jit import JiT
from asymflow.config.nanodit import NanoDiT
from asymflow.data.colour import from_rgb
from asymflow.flow.asymmetric import recover
from asymflow.models import jit as our_jit
from asymflow.models import nanodit as our_nanodit
from asymflow.models.condition import MODALITIES, Condition, presence
from asymflow.models.velocity import VelocityModel
from asymflow.released import asymflux2, asymjit, jit, nanodit
from asymflow.released.found import mended
from asymflow.subspace.patches import patchify, unpatchify

PATH = Path("models/theirs.safetensors")
P, SIDE, CLASSES = 8, 4, 5


@pytest.fixture(scope="module")
def theirs():
    return randomise(OfficialJit(), seed=0)


@pytest.fixture(scope="module")
def asked():
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(6, 3, SIDE * P, SIDE * P, generator=generator)
    return images, torch.rand(6, generator=generator), torch.tensor([0, 1, 2, 3, 4, CLASSES])


def subspace(rank, seed=2):
    draws = torch.randn(3 * P * P, rank, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return torch.linalg.qr(draws).Q.float()


def ours(found):
    """Our network with these weights; strict."""
    shapes = asymjit.shapes(found.weights, (SIDE, SIDE), None)
    network = our_jit.build(
        JiT(width=64), dimension=3 * P * P, grid=(SIDE, SIDE), shapes=shapes, generator=None, checkpointing=False
    )
    missing, unexpected = network.load_state_dict(found.weights, strict=False)
    assert not unexpected and not set(missing) & {name for name, _ in network.named_parameters()}
    return VelocityModel(network, found.A, found.s, torch.float32).eval()


def condition(label):
    present = presence(("class",), len(label))
    present[:, MODALITIES.index("class")] = label < CLASSES
    return Condition(present=present, grid=(SIDE, SIDE), label=label.clamp_max(CLASSES - 1))


def relative(one, other):
    return ((one - other).norm() / other.norm()).item()


def test_asymjit_predicts_what_its_makers_network_does(theirs, asked):
    images, t, label = asked
    A = subspace(3)
    found = asymjit.read(theirs.state_dict() | {"proj_buffer": A, "scale_buffer": torch.tensor(1.0)}, PATH)
    model = ours(found)
    with torch.no_grad():
        own = model.network(patchify(images, P), t, condition(label))
        assert relative(unpatchify(own, (SIDE, SIDE), P), theirs(images, t, label)) < 1e-6
        u_A = patchify(theirs(images, t, label), P)
        velocity = model(patchify(images, P), t, condition(label), sigma_min=0.04)
        assert relative(velocity, recover(u_A, patchify(images, P), t, A, 1.0, 0.04)) < 1e-6


def test_jit_predicts_minus_the_data_from_the_noise_level_in_place_of_how_clean_it_is(theirs, asked):
    images, t, label = asked
    found = jit.read(_jit_checkpoint(theirs), PATH)
    model = ours(found)
    assert model.A.shape == (3 * P * P, 0)
    with torch.no_grad():
        own = unpatchify(model.network(patchify(images, P), t, condition(label)), (SIDE, SIDE), P)
        assert relative(own, -theirs(images, 1 - t, label)) < 1e-6
        x_t, x_0 = patchify(images, P), patchify(theirs(images, 1 - t, label), P)
        velocity = model(x_t, t, condition(label), sigma_min=0.05)
        assert relative(velocity, (x_t - x_0) / t.clamp_min(0.05)[:, None, None]) < 1e-5


def _jit_checkpoint(network):
    state = {f"net.{name}": value for name, value in network.state_dict().items()}
    noise = {name: torch.randn_like(value) for name, value in state.items()}
    return {
        "model": noise,
        "model_ema1": state | {"net.pos_embed": torch.zeros(1, 16, 64)},
        "model_ema2": noise,
        "epoch": 5,
    }


def test_a_training_checkpoint_gives_its_averaged_weights_and_not_those_of_the_last_update(theirs):
    state = theirs.state_dict() | {"proj_buffer": subspace(2), "scale_buffer": torch.tensor(1.0)}
    content = {"state_dict": {f"diffusion_ema.denoising.{n}": v for n, v in state.items()}}
    content["state_dict"] |= {f"diffusion.denoising.{n}": torch.zeros_like(v) for n, v in state.items()}
    content["state_dict"]["diffusion_ema.repa_loss.projector.0.weight"] = torch.ones(2, 2)
    whole = asymjit.read(content, PATH)
    bare = asymjit.read(state, PATH)
    assert whole.weights.keys() == bare.weights.keys()
    assert all(torch.equal(whole.weights[name], value) for name, value in bare.weights.items())


def test_nanodit_gives_minus_the_data_in_unit_rgb_with_rows_and_columns_of_the_positions_changed_over():
    config = NanoDiT(size="embedded")
    width, depth, heads = config.dimensions
    theirs = randomise(OfficialNanoDit(width=width, depth=depth, heads=heads), seed=3)
    content = {"step": 7, "ema": {"ema_params": theirs.state_dict() | {"repa_proj.weight": torch.ones(3, 3)}}}
    found = nanodit.read(content, PATH)
    shapes = nanodit.shapes(found.weights, (2, 2), None)
    assert (shapes.embedding, shapes.patches, shapes.joints, shapes.caption) == (24, (4, 24), 7, (512, 24))
    network = our_nanodit.build(
        config, dimension=3 * 16 * 16, grid=(2, 2), shapes=shapes, generator=None, checkpointing=False
    ).eval()
    network.load_state_dict(found.weights, strict=True)
    generator = torch.Generator().manual_seed(4)
    rgb = torch.rand(3, 3, 32, 32, generator=generator) * 2 - 1
    pixels, t = from_rgb(rgb, "unit_rgb"), torch.rand(3, generator=generator)
    text, mask = torch.randn(3, 512, 24, generator=generator), torch.rand(3, 512, generator=generator) < 0.5
    embedding, patches = torch.randn(3, 24, generator=generator), torch.randn(3, 4, 24, generator=generator)
    joints = torch.rand(3, 7, 3, generator=generator)
    shown = Condition(
        present=presence(MODALITIES, 3),
        grid=(2, 2),
        text=text,
        mask=mask,
        embedding=embedding,
        patches=patches,
        joints=joints,
    )
    with torch.no_grad():
        own = unpatchify(network(patchify(pixels, 16), t, shown), (2, 2), 16)
        assert relative(own, -theirs((rgb + 1) / 2, t, text, mask, embedding, patches, joints)) < 1e-5
    written = nanodit.write(found)
    assert all(torch.equal(written[name], value) for name, value in theirs.state_dict().items())


def test_what_was_read_is_written_as_it_was(theirs):
    state = theirs.state_dict() | {"proj_buffer": subspace(2), "scale_buffer": torch.tensor(1.0)}
    written = asymjit.write(asymjit.read(state, PATH))
    assert written.keys() == state.keys() and all(torch.equal(written[n], value) for n, value in state.items())
    content = _jit_checkpoint(theirs)
    again = jit.write(jit.read(content, PATH))
    for name, value in again.items():
        torch.testing.assert_close(value, content["model_ema1"][name], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda s: s.pop("proj_buffer"), "has no proj_buffer"),
        (lambda s: s.update(scale_buffer=torch.tensor(2.0)), "has the scale 2"),
        (lambda s: s.update({"blocks.0.attn.extra": torch.zeros(1)}), "the first 'blocks.0.attn.extra'"),
        (lambda s: s.update({"final_layer.linear.bias": torch.tensor([float("nan")])}), "not finite"),
        (lambda s: s.update({"epoch": 3}), "holds int under 'epoch'"),
    ],
)
def test_what_an_asymjit_file_lacks_or_has_too_much_is_said(theirs, change, said):
    state = theirs.state_dict() | {"proj_buffer": subspace(2), "scale_buffer": torch.tensor(1.0)}
    change(state)
    with pytest.raises(ValueError, match=said) as error:
        asymjit.read(state, PATH)
    assert str(PATH) in str(error.value)


def test_a_model_that_predicts_more_than_the_data_has_no_place_in_layouts_of_data_prediction(theirs):
    found = asymjit.read(theirs.state_dict() | {"proj_buffer": subspace(2)}, PATH)
    for layout in (jit, nanodit):
        with pytest.raises(ValueError, match="rank 2"):
            layout.write(found)


def test_a_basis_in_half_precision_is_mended_to_the_nearest_orthonormal_one():
    A = subspace(4)
    same, departure = mended(A, PATH)
    assert torch.equal(same, A) and departure < 1e-6
    for dtype, loss in ((torch.float16, 1e-5), (torch.bfloat16, 1e-4)):
        near, departure = mended(A.to(dtype).float(), PATH)
        gram = near.double().T @ near.double()
        assert departure > loss and (gram - torch.eye(4)).abs().max() < 1e-6
        assert (near - A).abs().max() < 2 * (A.to(dtype).float() - A).abs().max()
    with pytest.raises(ValueError, match="no orthonormal basis"):
        mended(2 * A, PATH)


def test_half_precision_is_widened(theirs):
    state = {n: v.half() for n, v in theirs.state_dict().items()} | {"proj_buffer": subspace(2).half()}
    found = asymjit.read(state, PATH)
    assert {value.dtype for value in found.weights.values()} == {torch.float32} and found.A.dtype == torch.float32


def test_the_adapter_s_names_read_both_ways():
    names = [
        "x_embedder.weight",
        "proj_out.weight",
        "norm_out.linear.weight",
        "transformer_blocks.0.ff.linear_in.lora_A.weight",
    ]
    state = {name: torch.rand(2, 2) for name in names} | {"proj_buffer": subspace(2), "scale_buffer": torch.tensor(1.5)}
    found = asymflux2.read(state, PATH)
    assert found.s == 1.5 and sorted(found.weights) == [
        "flux.base_model.model.norm_out.modules_to_save.default.linear.weight",
        "flux.base_model.model.proj_out.modules_to_save.default.weight",
        "flux.base_model.model.transformer_blocks.0.ff.linear_in.lora_A.default.weight",
        "flux.base_model.model.x_embedder.modules_to_save.default.weight",
    ]
    written = asymflux2.write(found)
    assert written.keys() == state.keys() and all(torch.equal(written[n], state[n]) for n in state)
    for name in ("proj_buffer", "scale_buffer"):
        with pytest.raises(ValueError, match=f"no {name}"):
            asymflux2.read({n: v for n, v in state.items() if n != name}, PATH)
    with pytest.raises(ValueError, match=r"'transformer_blocks\.0\.attn\.to_q\.weight'"):
        asymflux2.read(state | {"transformer_blocks.0.attn.to_q.weight": torch.rand(2, 2)}, PATH)
