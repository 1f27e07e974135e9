"""Study `bypass`: its networks differ in the ways around the blocks, and in little else."""

from pathlib import Path

import pytest
import torch

from asymflow.config.loading import load
from asymflow.models.assemble import bare
from asymflow.models.condition import Shapes, example
from asymflow.models.cost import gflops

ROOT = Path(__file__).parents[2]
EXPERIMENT = load([ROOT / "workflow/config.yaml", ROOT / "workflow/studies.yaml", ROOT / "workflow/claims.yaml"])
ARMS = {name: EXPERIMENT.arms[name] for name in EXPERIMENT.studies["bypass"].arms}


def operations(arm):
    """Billions of an arm's forward pass for one image."""
    shapes, side = Shapes(classes=10), EXPERIMENT.data.image_size // arm.representation.patch_size
    network, dimension = bare(arm, shapes, (side, side), None)
    return gflops(network, torch.empty(1, side**2, dimension), torch.empty(1), example(shapes, (side, side)))


@pytest.mark.parametrize("name", ARMS)
def test_every_network_has_the_width_and_the_operations_of_the_plain_one(name):
    arm, plain = ARMS[name], ARMS["rank0"]
    assert arm.network.dimensions.width == plain.network.dimensions.width
    assert operations(arm) == pytest.approx(operations(plain), rel=0.02)


def test_every_network_meets_every_target_and_all_else_is_alike():
    parts = {(str(arm.network), arm.target.rank) for arm in ARMS.values()}
    assert len(parts) == len(ARMS) == 21
    assert {rank for _, rank in parts} == {0, 8, "full"} and len({network for network, _ in parts}) == 7
    rest = [arm.model_dump(exclude={"network", "target"}) for arm in ARMS.values()]
    assert all(part == rest[0] for part in rest)
