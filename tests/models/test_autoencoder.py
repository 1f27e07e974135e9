import pytest
import torch

from asymflow.config.autoencoder import DOWN
from asymflow.config.autoencoder import Autoencoder as Config
from asymflow.models.autoencoder import Autoencoder
from asymflow.subspace.bases import gram, pca
from asymflow.subspace.patches import CHANNEL_FIRST, patchify, unpatchify

CONFIG = Config(channels=6, width=4)


def images(count=4, side=16, seed=0):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def started():
    torch.manual_seed(0)
    autoencoder = Autoencoder(CONFIG).double()
    directions = pca(gram([patchify(images(64).double(), DOWN, CHANNEL_FIRST)])[0])[0][:, : CONFIG.channels]
    autoencoder.initialise_from_pca(directions)
    return autoencoder, directions


def test_it_starts_as_the_best_linear_autoencoder():
    autoencoder, directions = started()
    x = images().double()
    tokens = patchify(x, DOWN, CHANNEL_FIRST) @ directions
    latents = autoencoder.raw(x)
    assert torch.allclose(latents, unpatchify(tokens, (2, 2), 1))
    projected = unpatchify(tokens @ directions.T, (2, 2), DOWN, CHANNEL_FIRST)
    assert torch.allclose(autoencoder.decode(autoencoder.encode(x)), projected)


def test_every_weight_learns():
    autoencoder, _ = started()
    for parameter in autoencoder.parameters():  # away from the start, where zeros hide what is behind them
        parameter.data += 0.1 * torch.randn_like(parameter)
    x = images().double()
    (autoencoder.decode(autoencoder.encode(x)) - x).square().mean().backward()
    silent = [name for name, p in autoencoder.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert not silent


def test_latents_are_normalised_with_one_standard_deviation():
    autoencoder, _ = started()
    x = images(64).double()
    before = autoencoder.decode(autoencoder.encode(x))
    raw = autoencoder.raw(x)
    autoencoder.normalise(raw)
    latents = autoencoder.encode(x)
    assert latents.mean((0, 2, 3)).abs().max() < 1e-6 and latents.square().mean().item() == pytest.approx(1, rel=1e-6)
    spread, expected = latents.std((0, 2, 3)), raw.std((0, 2, 3))
    assert torch.allclose(spread / spread[0], expected / expected[0]), "the proportions between channels are kept"
    assert torch.allclose(autoencoder.decode(latents), before, atol=1e-6), "normalising changes no image"


def test_sizes():
    autoencoder = Autoencoder(CONFIG)
    assert autoencoder.encode(images(side=24)).shape == (4, 6, 3, 3)
    assert autoencoder.decode(torch.zeros(1, 6, 2, 5)).shape == (1, 3, 16, 40)
    with pytest.raises(ValueError, match="an image of 20x20 pixels has no latents: 8 must divide both sides"):
        autoencoder.encode(images(side=20))
    with pytest.raises(ValueError, match="channels is 193; a latent position stands for 8 x 8 x 3 = 192 numbers"):
        Config(channels=193)
