import pytest
import torch
import torch_fidelity.feature_extractor_inceptionv3 as published

from asymflow import tensors
from asymflow.metrics import evaluators
from asymflow.metrics.crops import centre_crops
from asymflow.metrics.evaluators import INCEPTION, InceptionEvaluator, LocalEvaluator
from asymflow.metrics.inception import TENSORFLOW_PORT

CPU = torch.device("cpu")


def write(evaluator, path, kind="evaluator"):
    """The file that stage fit_evaluator would write."""
    (name, probe), *_ = evaluator.probes.items()
    stored = {f"clip.visual.{key}": tensor for key, tensor in evaluator.tower.state_dict().items()}
    stored |= {"offset": evaluator.offset, "scale": evaluator.scale, "clip.logit_scale": torch.zeros(())}
    stored |= {f"probe.{name}.weight": probe.weight, f"probe.{name}.bias": probe.bias}
    about = {"config": evaluator.config.model_dump(), "values": evaluator.values}
    tensors.save(path, kind, stored, about)


@pytest.fixture
def inception(monkeypatch):
    """The published architecture with random weights, made without the weights' file."""
    torch.manual_seed(0)
    network = published.FeatureExtractorInceptionV3
    monkeypatch.setattr(published, "load_state_dict_from_url", lambda *_, **__: None)
    monkeypatch.setattr(network, "load_state_dict", lambda self, state: None)
    return InceptionEvaluator(network("inception", ["2048", "logits_unbiased"]), "random", CPU)


def test_an_evaluator_from_a_file_sees_the_same(evaluator, images, tmp_path):
    write(evaluator, tmp_path / "local.safetensors")
    loaded = evaluators.load(str(tmp_path / "local.safetensors"), CPU)
    assert isinstance(loaded, LocalEvaluator)
    assert torch.equal(loaded.look(images).features, evaluator.look(images).features)
    assert torch.equal(loaded.look(images).probabilities, evaluator.look(images).probabilities)
    assert len(loaded.digest) == 12


def test_digests_tell_evaluators_apart(evaluator, tmp_path):
    write(evaluator, tmp_path / "a.safetensors")
    write(evaluator, tmp_path / "b.safetensors")
    evaluator.offset[0] = 1
    write(evaluator, tmp_path / "c.safetensors")
    a, b, c = (LocalEvaluator.load(tmp_path / f"{name}.safetensors", CPU).digest for name in "abc")
    assert a == b != c


def test_features_are_standardised(evaluator, images):
    raw = evaluator.features(images)
    evaluator.offset[:], evaluator.scale[:] = raw.mean(0), raw.std(0)
    standard = evaluator.features(images)
    torch.testing.assert_close(standard.mean(0), torch.zeros(12), atol=1e-4, rtol=0)
    torch.testing.assert_close(standard.std(0), torch.ones(12))


def test_other_files_are_refused(evaluator, tmp_path):
    write(evaluator, tmp_path / "other.safetensors", kind="subspace")
    with pytest.raises(ValueError, match="holds 'subspace'; expected 'evaluator'"):
        evaluators.load(str(tmp_path / "other.safetensors"), CPU)
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(ValueError, match="is cut or damaged"):
        evaluators.load(str(tmp_path / "text.safetensors"), CPU)


def test_missing_inception_weights_say_what_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(
        ValueError, match=f"(?s){tmp_path}/hub/checkpoints/{TENSORFLOW_PORT.name}.*download https://github.com"
    ):
        evaluators.load(INCEPTION, CPU)
    with pytest.raises(ValueError, match=r"mine\.pth"):
        evaluators.load(str(tmp_path / "mine.pth"), CPU)


def test_the_file_and_the_address_are_those_of_the_package():
    assert TENSORFLOW_PORT.url == published.URL_INCEPTION_V3


def test_wrong_inception_weights_are_refused_before_they_are_unpickled(tmp_path):
    torch.save({"not": "inception"}, tmp_path / "mine.pth")
    with pytest.raises(ValueError, match=r"has the SHA-256 .*, not 6726825d"):
        evaluators.load(str(tmp_path / "mine.pth"), CPU)


def test_inception_gives_the_published_features_and_unbiased_probabilities(inception, images):
    look = inception.look(images[:2])
    assert look.features.shape == (2, 2048)
    assert look.probabilities.shape == (2, 1008)
    expected = (look.features @ inception.inception.fc.weight.T).softmax(1)
    torch.testing.assert_close(look.probabilities, expected)


def test_no_evaluator_bears_a_published_name(evaluator, inception):
    assert all(name.endswith("_local") for name in evaluator.names)
    assert all(name.endswith("_inception") for name in inception.names)


def test_crops_are_half_the_image_and_for_inception_299_pixels_of_large_ones(evaluator, inception, images):
    assert evaluator.crops(images, 0, seed=0).shape == (30, 3, 8, 8)
    assert torch.equal(inception.crops(images, 0, seed=0), evaluator.crops(images, 0, seed=0))
    large = torch.randint(0, 256, (1, 3, 310, 320), dtype=torch.uint8)
    assert torch.equal(inception.crops(large, 0, seed=0), centre_crops(large, side=299))
    assert inception.crops(large[..., :299, :], 0, seed=0).shape == (1, 3, 149, 149)
