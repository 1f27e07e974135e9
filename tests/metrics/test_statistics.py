import pytest
import torch

from asymflow.metrics import statistics
from asymflow.metrics.statistics import choose


def gather(evaluator, images, kept, batch, count=None):
    return statistics.gather(evaluator, images.split(batch), kept, count=count or len(images), seed=4, what="test")


def test_statistics_do_not_depend_on_the_batches(evaluator, images):
    kept = choose(30, most=11, seed=0)
    whole, parts = gather(evaluator, images, kept, batch=30), gather(evaluator, images, kept, batch=7)
    for name in ("images", "patches"):
        a, b = getattr(whole, name), getattr(parts, name)
        assert a.count == b.count == 30
        # features are float32, and their rounding depends on the batch
        torch.testing.assert_close(a.mean, b.mean, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(a.scatter, b.scatter, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(whole.features, parts.features, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(whole.probabilities, parts.probabilities, atol=1e-6, rtol=1e-5)


def test_moments_are_of_all_images_and_of_one_crop_of_each(evaluator, images):
    gathered = gather(evaluator, images, torch.arange(3), batch=20)
    for moments, seen in ((gathered.images, images), (gathered.patches, evaluator.crops(images, 0, 4))):
        features = evaluator.features(seen).double()
        # features are float32, and their rounding depends on the batch
        torch.testing.assert_close(moments.mean, features.mean(0), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(moments.covariance, features.T.cov(), atol=1e-5, rtol=1e-4)


def test_kept_features_belong_to_the_chosen_images(evaluator, images):
    kept = torch.tensor([2, 9, 10, 29])
    gathered = gather(evaluator, images, kept, batch=10)
    torch.testing.assert_close(gathered.features, evaluator.features(images[kept]), atol=1e-6, rtol=1e-5)


def test_chosen_images_are_distinct_ordered_and_by_seed():
    chosen = choose(100, most=20, seed=1)
    assert len(set(chosen.tolist())) == 20
    assert chosen.tolist() == sorted(chosen.tolist())
    assert choose(100, most=20, seed=2).tolist() != chosen.tolist()
    assert choose(5, most=20, seed=1).tolist() == [0, 1, 2, 3, 4]


def test_a_file_of_statistics_gives_them_back(evaluator, images, tmp_path):
    gathered = gather(evaluator, images, choose(30, most=4, seed=0), batch=10)
    statistics.save(gathered, tmp_path / "reference.safetensors", {"split": "train"})
    loaded, description = statistics.load(tmp_path / "reference.safetensors")
    assert description["split"] == "train"
    assert loaded.images.count == 30
    for name in ("features", "probabilities", "kept"):
        assert torch.equal(getattr(loaded, name), getattr(gathered, name))
    assert torch.equal(loaded.patches.scatter, gathered.patches.scatter)


def test_missing_images_are_noticed(evaluator, images):
    with pytest.raises(ValueError, match="31 images were expected, but 30 came"):
        gather(evaluator, images, torch.arange(3), batch=10, count=31)
    with pytest.raises(ValueError, match="2 images were expected, but 0 came"):
        statistics.gather(evaluator, [], torch.arange(2), count=2, seed=0, what="test")
