import pytest
import torch

from asymflow.machine import Machine
from asymflow.metrics import clip_training
from asymflow.metrics.clip import build, tokenize
from asymflow.metrics.clip_training import Choice, attribute_choices, augment, learning_rate, train
from asymflow.metrics.tower import features, to_pixels

CPU = Machine(torch.device("cpu"), torch.float32, compiled=False)


def striped(count):
    """Images of vertical (class 0) and horizontal (class 1) stripes of any phase and colour: a texture, not a colour."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 2
    wave = torch.sin(torch.arange(16) * 1.6 + 6.3 * torch.rand(count, 1, generator=generator))  # (count, 16)
    pattern = torch.where(labels[:, None, None] == 0, wave[:, None, :], wave[:, :, None])
    colour = 0.5 + 0.5 * torch.rand(count, 3, 1, 1, generator=generator)
    return ((pattern[:, None] * colour + 1) * 127.5).to(torch.uint8), labels


def trained(config, images, labels):
    torch.manual_seed(config.seed)
    tokens = tokenize([("a wall with columns", "a wall with rows")[label] for label in labels], longest=20)
    clip = build(config, tokens.shape[1])
    train(clip, images, tokens, Choice(["columns", "rows"], labels), {}, config, CPU)
    return clip


def test_training_learns_a_texture_and_gives_the_same_bytes_again(config):
    images, labels = striped(64)
    config = config.model_copy(
        update={"images": 2560, "batch": 32, "stem_width": 12, "width": 24, "lr": 5e-3, "shift": 2}
    )
    first, second = trained(config, images, labels), trained(config, images, labels)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name
    with torch.inference_mode():
        embedded = features(first.visual.view(to_pixels(images, 16)))
    gap = embedded[labels == 0].mean(0) - embedded[labels == 1].mean(0)
    projected = embedded @ gap
    assert ((projected > projected.mean()) == (labels == 0)).float().mean() > 0.9


def test_a_loss_that_is_not_finite_stops_the_training(config):
    images, labels = striped(8)
    with pytest.raises(FloatingPointError, match="lower its lr"):
        trained(config.model_copy(update={"images": 64, "batch": 8, "lr": 1e30}), images, labels)


def test_attributes_are_those_that_all_images_have_and_that_are_choices():
    records = [
        {"attributes": {"glasses": glasses, "age": 7, "note": str(i), **({"rare": 1} if i == 0 else {})}}
        for i, glasses in enumerate(["none", "sun", "none"] * 30)
    ]
    choices = attribute_choices(records)
    assert list(choices) == ["glasses"]  # one age only, a note for each image, and something only one image has
    assert choices["glasses"].values == ["none", "sun"]
    assert choices["glasses"].labels[:3].tolist() == [0, 1, 0]
    assert attribute_choices([{"attributes": {}}, {"attributes": {"a": 1}}]) == {}


def test_augmentation_moves_images_by_a_few_pixels_and_mirrors_nothing(config):
    quiet = config.model_copy(update={"shift": 2, "brightness": 0.0, "noise": 0.0})
    ramp = torch.linspace(-1, 1, 16).expand(40, 3, 16, 16).contiguous()  # brighter to the right
    moved = augment(ramp, quiet, torch.Generator().manual_seed(0))
    step = 2 / 15
    places = ((moved[:, 0, 8, 8] - ramp[:, 0, 8, 8]) / step).round()
    assert set(places.tolist()) == {-2, -1, 0, 1, 2}
    assert (moved[..., 2:-2].diff(dim=3) > 0).all()


def test_augmentation_depends_on_the_generator_alone_and_keeps_the_range_roughly(config):
    pixels = torch.rand(20, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    first, second = (augment(pixels, config, torch.Generator().manual_seed(0)) for _ in range(2))
    assert torch.equal(first, second)
    # contrast and brightness change by a tenth of the range at most, noise is small beside them
    assert first.abs().max() < 1 + 0.1 + 0.2 + 0.15


def test_contrast_and_brightness_change_evenly_up_to_a_tenth_of_the_range_each(config):
    still = config.model_copy(update={"shift": 0, "brightness": 0.1, "noise": 0.0})
    ramp = torch.linspace(-1, 1, 15).reshape(3, 1, 5).expand(800, 3, 1, 5)
    changed = augment(ramp, still, torch.Generator().manual_seed(0)).double()
    gain, offset = (changed[:, 2, 0, 4] - changed[:, 0, 0, 0]) / 2 - 1, changed.mean((1, 2, 3))
    for found, most in ((gain, 0.1), (offset, 0.2)):  # pixels span a range of 2
        assert found.abs().max() < most + 1e-6
        assert found.std().item() == pytest.approx(most / 3**0.5, rel=0.1)  # of even draws
    assert torch.stack([gain, offset]).corrcoef()[0, 1].abs() < 0.2  # of 800 independent pairs: 0.035
    expected = ramp * (1 + gain)[:, None, None, None] + offset[:, None, None, None]
    torch.testing.assert_close(changed, expected, rtol=0, atol=1e-5)  # float32


def test_noise_is_added_to_each_number_on_its_own(config):
    still = config.model_copy(update={"shift": 0, "brightness": 0.0, "noise": 0.03})
    ramp = torch.linspace(-1, 1, 15).reshape(3, 1, 5).expand(4000, 3, 1, 5)
    noise = (augment(ramp, still, torch.Generator().manual_seed(0)) - ramp).double().flatten(1)
    assert noise.std(dim=0).tolist() == pytest.approx([0.06] * 15, rel=0.1)  # pixels span a range of 2
    assert (noise.T.corrcoef() - torch.eye(15)).abs().max() < 0.1  # of 4000 independent pairs: 0.016


def test_learning_rate_rises_and_falls_to_zero():
    peak = 3.0
    assert learning_rate(clip_training.WARMUP / 2, peak) == pytest.approx(peak / 2)
    assert learning_rate(clip_training.WARMUP, peak) == pytest.approx(peak)
    assert learning_rate((1 + clip_training.WARMUP) / 2, peak) == pytest.approx(peak / 2)
    assert learning_rate(1.0, peak) == pytest.approx(0)
