import pytest
import torch

from asymflow.config.sampling import Sampling
from asymflow.data.colour import encode
from asymflow.sampling import parts
from asymflow.sampling.sampler import balanced_labels, noise, sample, to_bytes
from asymflow.subspace.patches import patchify

SHAPE = (3, 4, 4)


def field(x, t, labels, *, sigma_min):
    """A velocity that differs between classes and is not linear, of tokens alone: no arithmetic across a batch."""
    return torch.tanh(x) + labels[:, None, None] * 0.1 - t[:, None, None]


def draw(indices, **changes):
    settings = Sampling(**({"steps": 3, "guidance": 2.0, "interval": (0.2, 0.8)} | changes))
    labels = balanced_labels(indices, 3)
    start = noise(5, indices, SHAPE)
    return sample(field, start, labels, patch_size=2, colour="rgb", null_label=3, settings=settings)


def test_a_sample_does_not_depend_on_the_batch_it_is_drawn_in():
    whole = draw(range(10))
    assert torch.equal(whole, torch.cat([draw(range(0, 3)), draw(range(3, 4)), draw(range(4, 10))]))


def test_noise_is_a_function_of_seed_and_index():
    assert torch.equal(noise(1, range(3, 5), SHAPE), noise(1, range(0, 9), SHAPE)[3:5])
    assert not torch.equal(noise(1, range(1), SHAPE), noise(2, range(1), SHAPE))
    assert not torch.equal(noise(1, range(1), SHAPE), noise(1, range(1, 2), SHAPE))


def test_labels_are_balanced():
    assert balanced_labels(range(7), 3).tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert balanced_labels(range(4, 7), 3).tolist() == [1, 2, 0]


def test_guidance_and_interval_change_the_samples():
    plain = draw(range(6), guidance=1.0)
    assert not torch.equal(plain, draw(range(6)))
    assert torch.equal(plain, draw(range(6), interval=(0.0, 0.0))), "no grid point before the end lies at 0"


@pytest.mark.parametrize("colour", ["rgb", "oklab"])
def test_samples_are_rgb_whatever_the_model_works_in(colour):
    """A model that knows its image, in its own colour space, and goes straight to it."""
    images = torch.randint(0, 256, (5, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images[0], images[1] = 0, 255
    known = patchify(encode(images.float() / 127.5 - 1, colour), 2)

    def straight(x, t, labels, *, sigma_min):
        return (x - known) / t[:, None, None]

    start, labels = noise(5, range(5), SHAPE), torch.zeros(5, dtype=torch.long)
    drawn = sample(straight, start, labels, patch_size=2, colour=colour, null_label=3, settings=Sampling(steps=7))
    assert torch.equal(drawn, images)


def test_bytes_are_rounded_to_the_nearest_and_clamped():
    pixels = torch.tensor([-2.0, -1.0, 0.0, 0.5 / 127.5 - 1 + 1e-4, 1.0, 3.0])
    assert to_bytes(pixels).tolist() == [0, 0, 128, 1, 255, 255]


def test_parts_resume_and_are_shared_among_processes(tmp_path):
    folder, out = tmp_path / "samples.parts", tmp_path / "samples.npy"
    parts.prepare(folder, {"model": "a"})
    mine, yours = parts.missing(folder, 10, 4, 0, 2), parts.missing(folder, 10, 4, 1, 2)
    assert mine == [range(0, 4), range(8, 10)] and yours == [range(4, 8)]
    images = draw(range(10)).permute(0, 2, 3, 1).numpy()
    for indices in (*yours, *mine[1:]):
        parts.write(folder, indices, images[indices.start : indices.stop])
    parts.prepare(folder, {"model": "a"})
    assert parts.missing(folder, 10, 4, 0, 1) == [range(0, 4)]
    parts.write(folder, range(0, 4), images[:4])
    assert (parts.join(folder, out) == images).all() and not folder.exists()


def test_parts_of_another_model_are_removed(tmp_path):
    folder = tmp_path / "samples.parts"
    parts.prepare(folder, {"model": "a"})
    parts.write(folder, range(0, 4), draw(range(4)).numpy())
    parts.prepare(folder, {"model": "b"})
    assert parts.missing(folder, 4, 4, 0, 1) == [range(0, 4)]


def test_an_interval_that_is_reversed_is_an_error():
    with pytest.raises(ValueError, match=r"interval is \[0.8, 0.2\]; expected"):
        Sampling(interval=(0.8, 0.2))
