"""One training step: what the network is shown, and that every switch that is on changes something."""

import pytest
import torch

from asymflow.config.model import Model
from asymflow.config.training import Training
from asymflow.data.colour import encode
from asymflow.models.jit import build
from asymflow.models.velocity import VelocityModel
from asymflow.subspace.bases import gram, pca
from asymflow.subspace.patches import patchify, unpatchify
from asymflow.training.step import FlowMatching, draw, seed_step

PATCH, CLASSES = 4, 3


def images():
    """Two flat colours with a bright left edge, so that mirroring shows."""
    pixels = torch.full((16, 3, 8, 8), 60, dtype=torch.uint8)
    pixels[::2] = 180
    pixels[:, :, :, 0] = 255
    return pixels, torch.arange(16) % CLASSES


def example(seed=0, colour="rgb", teacher=None, **changes):
    seed_step(seed, 0, 0)
    return draw(*images(), PATCH, colour, CLASSES, Training(**changes), teacher)


def test_steps_are_functions_of_seed_position_and_process():
    def drawn(*key):
        seed_step(*key)
        return torch.randn(3)

    keys = [(0, 0, 0), (1, 0, 0), (0, 64, 0), (0, 0, 1), (0, 1, 64)]
    values = [drawn(*key) for key in keys]
    assert torch.equal(values[0], drawn(0, 0, 0))
    for i, value in enumerate(values):
        assert not any(torch.equal(value, other) for other in values[:i])


def test_pixels_are_in_minus_one_to_one_and_cut_into_patches():
    shown = example()
    assert torch.equal(shown.x_0, patchify(images()[0].float() / 127.5 - 1, PATCH))
    assert shown.x_0.max() == 1 and shown.t.shape == (16,)


class Silent(torch.nn.Module):
    """A network that always answers 0."""

    def forward(self, x, t, labels):
        return torch.zeros_like(x)


def test_an_oklab_arm_is_trained_on_other_numbers_and_nothing_else_changes():
    rgb, oklab = example(flip=True), example(flip=True, colour="oklab")
    pixels = unpatchify(rgb.x_0, (2, 2), PATCH)
    torch.testing.assert_close(oklab.x_0, patchify(encode(pixels, "oklab"), PATCH))
    assert (rgb.x_0 - oklab.x_0).abs().mean() > 0.1
    for name in ("eps", "t", "labels"):
        assert torch.equal(getattr(rgb, name), getattr(oklab, name))
    silent = VelocityModel(Silent(), torch.zeros(PATCH * PATCH * 3, 0), 1.0, torch.float32)
    objective = FlowMatching(silent, Training())
    assert objective(rgb)["flow"] != objective(oklab)["flow"]


def test_a_teacher_sees_rgb_whatever_the_network_works_in():
    def teacher(pixels):
        return pixels.flatten(2)

    assert torch.equal(example(colour="oklab", teacher=teacher).tokens, example(teacher=teacher).tokens)


def test_label_dropout_hides_the_share_it_says_and_none_when_off():
    assert torch.equal(example(label_dropout=0.0).labels, images()[1])
    assert (example(label_dropout=1.0).labels == CLASSES).all()
    assert 0 < (example(label_dropout=0.5).labels == CLASSES).sum() < 16


def test_flipping_mirrors_some_images_and_none_when_off():
    plain, flipped = example(flip=False).x_0, example(flip=True).x_0
    mirrored = (plain != flipped).flatten(1).any(1)
    assert 0 < mirrored.sum() < 16
    assert torch.equal(flipped[mirrored], patchify((images()[0].float() / 127.5 - 1).flip(3), PATCH)[mirrored])


@pytest.mark.parametrize("rank", [0, 8, PATCH * PATCH * 3])
def test_every_parameterisation_learns(rank):
    training, config = (
        Training(batch=16, images=16, warmup_images=0),
        Model(size="tiny", patch_size=PATCH, embed_pca=4, width=64),
    )
    A = pca(gram([example().x_0])[0])[0][:, :rank].float()
    network = build(
        config, image_size=8, classes=CLASSES, generator=torch.Generator().manual_seed(0), checkpointing=False
    )
    model = VelocityModel(network, A, 1.0, torch.float32)
    objective, optimiser = FlowMatching(model, training), torch.optim.AdamW(network.parameters(), lr=2e-3)
    losses = []
    for step in range(40):
        seed_step(0, step, 0)
        value = objective(draw(*images(), PATCH, "rgb", CLASSES, training))["flow"]
        value.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(value.item())
    assert sum(losses[-8:]) < 0.6 * sum(losses[:8])
