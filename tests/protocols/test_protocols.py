"""Each published protocol against an independent computation."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch
from PIL import Image
from torch import nn

from asymflow.protocols import adm, clean, networks, reference, t2i, torch_fidelity
from asymflow.protocols.networks import File, Look

D, CLASSES = 12, 10


def draws(*shape, seed=0, spread=1.0):
    return spread * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).float()


def seen(count, seed):
    mix = draws(D, D, seed=99)
    return {"features": draws(count, D, seed=seed) @ mix + 0.1 * seed, "logits": draws(count, CLASSES, seed=seed + 50)}


def of(features, path=Path("theirs.npz"), images=None, patches=None):
    x = features.double().numpy()
    return reference.Reference(path, x.mean(0), np.cov(x, rowvar=False), images, patches)


def frechet(one, other):
    """The textbook's way, by the root of the product of covariances."""
    one, other = one.double().numpy(), other.double().numpy()
    a, b = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    gap = one.mean(0) - other.mean(0)
    return gap @ gap + np.trace(a) + np.trace(b) - 2 * np.trace(scipy.linalg.sqrtm(a @ b).real)


def score(logits):
    p = np.exp(logits.double().numpy())
    p /= p.sum(1, keepdims=True)
    return np.exp((p * (np.log(p) - np.log(p.mean(0)))).sum(1).mean())


def inside(points, centres, k):
    """The share of points within the ball of some centre, which reaches to its k-th nearest other centre."""
    own = torch.cdist(centres.double(), centres.double())
    radii = own.sort(dim=1).values[:, k]
    return (torch.cdist(points.double(), centres.double()) <= radii).any(1).double().mean().item()


def test_adm_has_splits_of_five_thousand_in_order_and_sets_of_unequal_size(monkeypatch):
    drawn, real = seen(230, 1), seen(90, 2)
    monkeypatch.setattr(adm, "SPLIT", 100)
    numbers = adm.compare(drawn, of(seen(400, 3)["features"]), real)
    assert tuple(numbers) == ("fid_adm", "is_adm", "precision_adm", "recall_adm")
    assert numbers["fid_adm"] == pytest.approx(frechet(drawn["features"], seen(400, 3)["features"]), rel=1e-6)
    parts = [score(drawn["logits"][first : first + 100]) for first in (0, 100, 200)]
    assert numbers["is_adm"] == pytest.approx(np.mean(parts), rel=1e-9)
    assert numbers["precision_adm"] == pytest.approx(inside(drawn["features"], real["features"], 3))
    assert numbers["recall_adm"] == pytest.approx(inside(real["features"], drawn["features"], 3))
    assert "precision_adm" not in adm.compare(drawn, of(real["features"]), None), "without images there is none"


def test_torch_fidelity_s_numbers_are_those_of_its_formulas():
    drawn, real = seen(230, 1), seen(300, 3)["features"]
    numbers = torch_fidelity.compare(drawn, of(real), None)
    assert tuple(numbers) == ("fid_torch_fidelity", "is_torch_fidelity")
    assert numbers["fid_torch_fidelity"] == pytest.approx(frechet(drawn["features"], real), rel=1e-6)
    order = np.random.RandomState(2020).permutation(230)
    parts = [drawn["logits"][order[i * 230 // 10 : (i + 1) * 230 // 10]] for i in range(10)]
    assert numbers["is_torch_fidelity"] == pytest.approx(np.mean([score(part) for part in parts]), rel=1e-9)


def test_clean_sees_images_as_pillow_resizes_each_channel_without_rounding():
    images = torch.randint(0, 256, (2, 3, 40, 56), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    given = []

    def network(batch):
        given.append(batch)
        return Look(batch.mean((2, 3)), None)

    clean.measure(network, images)
    for image, resized in zip(images, given[0], strict=True):
        for channel, own in zip(image, resized, strict=True):
            pillow = Image.fromarray(channel.numpy().astype(np.float32)).resize((299, 299), Image.Resampling.BICUBIC)
            np.testing.assert_array_equal(own.numpy(), np.asarray(pillow).clip(0, 255))
    drawn, real = seen(60, 1), seen(80, 2)["features"]
    assert clean.compare(drawn, of(real), None)["fid_clean"] == pytest.approx(
        frechet(drawn["features"], real), rel=1e-6
    )


def test_t2i_shrinks_with_antialiasing_and_its_patches_are_not_shrunk():
    grain = torch.randint(0, 256, (2, 3, 598, 598), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    small = t2i.shrunk(grain)
    for image, own in zip(grain.flatten(0, 1), small.flatten(0, 1), strict=True):
        pillow = Image.fromarray(image.numpy().astype(np.float32)).resize((299, 299), Image.Resampling.BICUBIC)
        assert np.abs(np.floor(np.asarray(pillow) + 0.5).clip(0, 255) - own.numpy()).max() <= 1
    assert grain.double().std() > 1.5 * small.double().std(), "grain is averaged away"
    given = []

    def network(batch):
        given.append(batch)
        return Look(batch.double().mean((2, 3)).float(), None)

    kept = t2i.measure(network, grain)
    assert set(kept) == {"features", "patches"} and torch.equal(given[1], grain[:, :, 149:448, 149:448])
    assert set(t2i.measure(network, small)) == {"features"}

    drawn = seen(60, 1) | {"patches": seen(60, 5)["features"]}
    real, patches = seen(80, 2)["features"], seen(80, 6)["features"]
    moments = patches.double().numpy().mean(0), np.cov(patches.double().numpy(), rowvar=False)
    numbers = t2i.compare(drawn, of(real, patches=moments), None)
    assert numbers["fid_t2i"] == pytest.approx(frechet(drawn["features"], real), rel=1e-6)
    assert numbers["patch_fid_t2i"] == pytest.approx(frechet(drawn["patches"], patches), rel=1e-6)
    assert set(t2i.compare(drawn, of(real), None)) == {"fid_t2i"}


@pytest.fixture
def tensorflow_port(tmp_path, monkeypatch):
    """The file of a random Inception of the published architecture, in the published format."""
    from torch_fidelity import feature_extractor_inceptionv3 as theirs

    kind = theirs.FeatureExtractorInceptionV3
    torch.manual_seed(0)
    with monkeypatch.context() as patch:
        patch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(kind, "load_state_dict", lambda *_: None)
        network = kind("inception", ["2048", "logits_unbiased"])
    path = tmp_path / networks.TENSORFLOW_PORT.name
    torch.save(network.state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(networks, "TENSORFLOW_PORT", File(path.name, digest, "its page"))
    return network


def test_the_port_of_tensorflow_gives_features_and_logits_of_its_file(tensorflow_port, tmp_path):
    images = torch.randint(0, 256, (2, 3, 32, 32), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    look = adm.measure(adm.NETWORK(tmp_path, torch.device("cpu")), images)
    features, logits = tensorflow_port(images)
    assert torch.equal(look["features"], features) and torch.equal(look["logits"], logits)
    assert look["features"].shape == (2, 2048) and look["features"].std() > 0


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 2048, 1)

    def forward(self, x):
        return self.convolution(x.mean((2, 3), keepdim=True))


class Script(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = Layers()

    def forward(self, x):
        return self.layers(x)


def test_the_torchscript_is_given_what_clean_fid_gives_it(tmp_path, monkeypatch):
    torch.manual_seed(0)
    script = torch.jit.script(Script())
    path = tmp_path / networks.TORCHSCRIPT.name
    script.save(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(networks, "TORCHSCRIPT", File(path.name, digest, "its page"))
    images = torch.randint(0, 256, (2, 3, 299, 299), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    look = clean.measure(clean.NETWORK(tmp_path, torch.device("cpu")), images)
    expected = script.layers((images.float() - 128) / 128).flatten(1)
    torch.testing.assert_close(look["features"], expected, rtol=0, atol=1e-5)


def test_a_network_that_is_missing_or_another_is_refused_with_where_it_is_to_be_had(tmp_path):
    for make, file in (
        (networks.tensorflow_port, networks.TENSORFLOW_PORT),
        (networks.torchscript, networks.TORCHSCRIPT),
    ):
        with pytest.raises(ValueError, match="is not there; download https"):
            make(tmp_path, torch.device("cpu"))
        (tmp_path / file.name).write_bytes(b"something else")
        with pytest.raises(ValueError, match="has the SHA-256"):
            make(tmp_path, torch.device("cpu"))
