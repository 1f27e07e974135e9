"""The stages fit_autoencoder and fit_lift, on small portraits."""

import pytest
import torch
from workshop import run_stage

from asymflow import tensors
from asymflow.config.autoencoder import Autoencoder as Config
from asymflow.config.data import Data
from asymflow.config.subspace import Subspace
from asymflow.data.colour import from_rgb
from asymflow.data.reader import ShardReader
from asymflow.data.shards import write_splits
from asymflow.models import latents
from asymflow.stages import fit_autoencoder, fit_lift
from asymflow.subspace.file import load
from asymflow.subspace.patches import CHANNEL_FIRST, CHANNEL_LAST, patchify

CONFIG = Config(channels=8, width=8, images=2000, batch=20, lr=3e-3, precision="float32")
AGREED = {"patch_size": 16, "order": CHANNEL_FIRST, "colour": "oklab"}


def fit_autoencoder_to(folder, out):
    run_stage(
        fit_autoencoder, config=CONFIG.model_dump_json(), data=folder / "train.json", heldout=folder / "heldout.json", out=out
    )  # fmt: skip


def fit_lift_to(folder, **changes):
    given = {"patch_size": 16, "colour": "oklab", "latents": folder / "autoencoder.safetensors"}
    given |= {"config": Subspace(images=60).model_dump_json(), "data": folder / "train.json"}
    run_stage(fit_lift, **given | {"out": folder / "lift.safetensors"} | changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """80 portraits of 32 pixels, an autoencoder of them, and the lift of its latents."""
    folder = tmp_path_factory.mktemp("latent")
    write_splits(Data(image_size=32, train=80, evaluator=2, heldout=20), folder, processes=1)
    fit_autoencoder_to(folder, folder / "autoencoder.safetensors")
    fit_lift_to(folder)
    return folder


def test_training_improves_on_the_linear_start(folder):
    description = tensors.describe(folder / "autoencoder.safetensors", "autoencoder")
    reader, heldout = ShardReader(folder / "train.json"), ShardReader(folder / "heldout.json")
    hardware = fit_autoencoder.machine.choose("float32", "off")
    start = fit_autoencoder.fit(reader, CONFIG.model_copy(update={"images": 20, "lr": 1e-12}), hardware)
    assert (
        description["heldout_psnr"]
        > fit_autoencoder.peak_signal_to_noise(start, heldout.images(range(len(heldout))), hardware) + 0.3
    )


def test_the_same_seed_gives_the_same_bytes(folder, tmp_path):
    fit_autoencoder_to(folder, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (folder / "autoencoder.safetensors").read_bytes()


def test_the_lift_brings_latents_near_their_pixels(folder):
    lift = load(folder / "lift.safetensors", **AGREED)
    space = latents.load(folder / "autoencoder.safetensors", 16, torch.device("cpu"))
    assert (lift.name, lift.basis.shape, lift.patches) == ("procrustes", (768, 32), 60 * 4)
    reader = ShardReader(folder / "heldout.json")
    pixels = reader.images(range(len(reader))).double() / 127.5 - 1
    x = patchify(from_rgb(pixels, "oklab"), 16, CHANNEL_FIRST).flatten(0, 1)
    z = space.encode(pixels.float()).flatten(0, 1).double()
    lifted = lift.scale * z @ lift.basis.T
    assert (x - lifted).square().sum() < 0.4 * x.square().sum()
    shuffled = lifted[torch.randperm(len(lifted), generator=torch.Generator().manual_seed(0))]
    assert (x - lifted).square().sum() < 0.5 * (x - shuffled).square().sum()
    assert (x @ lift.basis).norm().item() / z.norm().item() == pytest.approx(lift.scale, rel=0.1), (
        "eq. 12, on other images"
    )


def test_a_lift_of_another_order_or_colour_is_an_error(folder):
    with pytest.raises(ValueError, match="was fitted with order 'channel row column', but the model works with 'row"):
        load(folder / "lift.safetensors", **(AGREED | {"order": CHANNEL_LAST}))
    with pytest.raises(ValueError, match="was fitted with colour 'oklab', but the model works with 'rgb'"):
        load(folder / "lift.safetensors", **(AGREED | {"colour": "rgb"}))


def test_patches_that_no_latent_token_stands_for_are_an_error(folder):
    with pytest.raises(ValueError, match="a pixel patch of 12 pixels cannot be paired with a latent token"):
        fit_lift_to(folder, patch_size=12)


def test_another_file_is_no_autoencoder(folder):
    with pytest.raises(ValueError, match="holds 'subspace'; expected 'autoencoder'"):
        fit_lift_to(folder, latents=folder / "lift.safetensors")
