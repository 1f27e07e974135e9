"""What the terms that learn from a network are tested on: a tiny JiT told the class, an example for it, and a tiny evaluator."""

import pytest
import torch

from asymflow import tensors
from asymflow.config.arm import Arm
from asymflow.config.conditions import MODALITIES
from asymflow.config.evaluator import Evaluator
from asymflow.data.tokens import to_tokens
from asymflow.metrics import perceptual
from asymflow.metrics.tower import PREFIX, ImageTower
from asymflow.models.assemble import Beginning, assemble
from asymflow.models.condition import Condition, Shapes, presence
from asymflow.training.example import Example
from asymflow.training.objective import Needs, build

B, PATCH, GRID, N, D = 4, 8, (4, 4), 16, 192
EVALUATOR = Evaluator(image_size=32, patch_size=PATCH, stem_width=8, width=24, depth=1, heads=2)


class Bench:
    """Arms with some losses, at work on one example."""

    def __init__(self, folder):
        torch.manual_seed(1)
        weights = {f"{PREFIX}{name}": value for name, value in ImageTower(EVALUATOR).state_dict().items()}
        tensors.save(folder / "evaluator", "evaluator", weights, {"config": EVALUATOR.model_dump()})
        network = perceptual.untrained("squeeze").state_dict()
        tensors.save(folder / "perceptual", "perceptual network", network, {"config": {"backbone": "squeeze"}})
        self.needs = Needs(0, torch.device("cpu"), evaluator=folder / "evaluator", perceptual=folder / "perceptual")
        self.model = self.objective().model

    def arm(self, colour="rgb", **losses):
        return Arm.model_validate({
            "representation": {"patch_size": PATCH, "colour": colour}, "network": {"kind": "jit", "width": 64},
            "target": {"rank": 0}, "losses": losses,
        })  # fmt: skip

    def objective(self, **losses):
        """The objective of an arm whose weights have moved: modulations that start at zero hide what the blocks do."""
        arm = self.arm(**losses)
        beginning = Beginning(subspace=torch.eye(D)[:, :0])
        model = assemble(arm, Shapes(classes=3), GRID, beginning, seed=0, precision=torch.float32)
        torch.manual_seed(1)
        for parameter in model.network.parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
        return build(arm, model, self.needs)

    def example(self, t=(0.1, 0.4, 0.7, 1.0), colour="rgb"):
        generator = torch.Generator().manual_seed(2)
        pixels = torch.rand(B, 3, 32, 32, generator=generator) * 2 - 1
        x_0 = to_tokens(pixels, self.arm(colour))
        eps = torch.randn(B, N, D, generator=generator)
        condition = Condition(presence(MODALITIES, B), GRID, label=torch.arange(B) % 3)
        return Example(x_0, eps, torch.tensor(t), condition, pixels, progress=0.0)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """See `Bench`."""
    return Bench(tmp_path_factory.mktemp("bench"))
