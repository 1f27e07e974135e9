import pytest
import torch

from asymflow import tensors
from asymflow.metrics import clip as network
from asymflow.metrics.text import TextTower, clip_scores

CAPTIONS = ["a person with red hair", "a person", "in front of green stripes: a person in a dotted shirt"]
LENGTH = 14


@pytest.fixture
def file(config, tmp_path):
    torch.manual_seed(0)
    clip = network.build(config, LENGTH)
    description = {"config": config.model_dump(), "context_length": LENGTH}
    stored = {f"clip.{name}": value for name, value in clip.state_dict().items()}
    tensors.save(tmp_path / "evaluator.safetensors", "evaluator", stored, description)
    return tmp_path / "evaluator.safetensors"


@pytest.fixture
def tower(file):
    return TextTower.load(file, torch.device("cpu"))


def test_every_caption_becomes_as_many_tokens(tower, config):
    tokens = tower.tokens(CAPTIONS)
    assert tokens.shape == (3, LENGTH, config.text_width) == (3, tower.length, tower.width)
    assert torch.allclose(tower.tokens(CAPTIONS[1:2]), tokens[1:2], atol=1e-6), "whatever stands beside it"


def test_the_pooled_token_gives_the_embedding(tower):
    numbers = tower._numbers(CAPTIONS)
    end = tower.tokens(CAPTIONS)[torch.arange(3), numbers.argmax(1)]
    expected = torch.nn.functional.normalize(end @ tower.clip.text_projection, dim=1)
    assert torch.allclose(tower.embeddings(CAPTIONS), expected, atol=1e-6)


def test_equal_words_before_a_difference_give_equal_tokens(tower):
    one, other = tower.tokens(["a person with red hair", "a person with red shirt"])
    assert torch.allclose(one[:5], other[:5], atol=1e-6) and not torch.allclose(one[5], other[5], atol=1e-3)


def test_captions_have_their_own_lengths_and_are_cut_to_that_of_the_tower(tower):
    assert max(tower.lengths(CAPTIONS)) <= LENGTH
    assert tower.lengths(["a person " * LENGTH]) == [2 * LENGTH + 2]
    assert tower.tokens(["a person " * LENGTH]).shape[1] == LENGTH


def test_no_other_file_is_read(tmp_path):
    tensors.save(tmp_path / "other.safetensors", "statistics", {"a": torch.zeros(1)}, {})
    with pytest.raises(ValueError, match="holds 'statistics'; expected 'evaluator'"):
        TextTower.load(tmp_path / "other.safetensors", torch.device("cpu"))


def test_clip_scores_are_cosines():
    images, captions = (
        torch.tensor([[3.0, 0.0], [1.0, 1.0], [0.0, -2.0]]),
        torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 5.0]]),
    )
    assert torch.allclose(clip_scores(images, captions), torch.tensor([1.0, 0.5**0.5, -1.0]))
