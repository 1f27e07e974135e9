"""A small evaluator with random weights: what it computes does not matter, only that it is computed alike."""

import pytest
import torch

from asymflow.config.evaluator import Evaluator
from asymflow.metrics.evaluators import LocalEvaluator
from asymflow.metrics.probe import Probe
from asymflow.metrics.tower import ImageTower

CONFIG = Evaluator(image_size=16, patch_size=4, stem_width=6, width=12, depth=1, heads=2, embedding=5)
FEATURES = 12  # two stages: none between the first and the last, so the tokens alone


@pytest.fixture
def config():
    return CONFIG


@pytest.fixture
def evaluator():
    torch.manual_seed(0)
    probe = Probe(torch.randn(3, FEATURES), torch.zeros(3))
    tower, values = ImageTower(CONFIG).eval(), {LocalEvaluator.CLASS: ["a", "b", "c"]}
    one = torch.ones(FEATURES)
    return LocalEvaluator(tower, CONFIG, 0 * one, one, {LocalEvaluator.CLASS: probe}, values, digest="random")


@pytest.fixture
def images():
    return torch.randint(0, 256, (30, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
