"""Study `bypass`: its networks differ in the ways around the blocks, and in little else."""

from pathlib import Path

import pytest
import torch

from asymflow.config.loading import load
from asymflow.models.assemble import bare
from asymflow.models.condition import Shapes, example
from asymflow.models.cost import gflops

ROOT = Path(__file__).parents[2]
DEFAULT = [ROOT / f"workflow/{name}.yaml" for name in ("config", "studies", "claims")]
EXPERIMENT, NARROW = load(DEFAULT), load([*DEFAULT, ROOT / "workflow/scales/narrow.yaml"])
ARMS, NARROW_ARMS = (
    {name: chosen.arms[name] for name in chosen.studies["bypass"].arms} for chosen in (EXPERIMENT, NARROW)
)


def operations(arm):
    """Billions of an arm's forward pass for one image."""
    shapes, side = Shapes(classes=10), EXPERIMENT.data.image_size // arm.representation.patch_size
    network, dimension = bare(arm, shapes, (side, side), None)
    return gflops(network, torch.empty(1, side**2, dimension), torch.empty(1), example(shapes, (side, side)))


@pytest.mark.parametrize("arms, name", [(arms, name) for arms in (ARMS, NARROW_ARMS) for name in arms])
def test_every_network_has_the_width_and_the_operations_of_the_plain_one(arms, name):
    arm, plain = arms[name], arms["rank0"]
    assert arm.network.dimensions.width == plain.network.dimensions.width
    assert operations(arm) == pytest.approx(operations(plain), rel=0.02)


def test_every_network_meets_every_target_and_all_else_is_alike():
    parts = {(str(arm.network), arm.target.rank) for arm in ARMS.values()}
    assert len(parts) == len(ARMS) == 21
    assert {rank for _, rank in parts} == {0, 8, "full"} and len({network for network, _ in parts}) == 7
    rest = [arm.model_dump(exclude={"network", "target"}) for arm in ARMS.values()]
    assert all(part == rest[0] for part in rest)


def test_in_the_narrow_networks_a_patch_has_three_times_as_many_numbers_as_channels():
    assert {arm.network.dimensions.width for arm in NARROW_ARMS.values()} == {64}
    assert {3 * arm.representation.patch_size**2 for arm in NARROW_ARMS.values()} == {192}
