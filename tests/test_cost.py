"""What a run is reckoned to cost."""

from pathlib import Path

import pytest
import torch
from torch import nn
from workshop import run_stage

from asymflow import cost, parts
from asymflow.config.arm import Arm
from asymflow.config.cost import Cost
from asymflow.config.evaluator import Evaluator
from asymflow.config.loading import load
from asymflow.config.sampling import ClassifierFree, Dual, Sampling, Searched, Unguided
from asymflow.config.search import Search
from asymflow.descriptions import Descriptions
from asymflow.flow.solver import time_grid
from asymflow.models.assemble import Beginning, assemble, bare, outline
from asymflow.models.condition import Shapes, example
from asymflow.plan import Plan
from asymflow.report import tables
from asymflow.stages import cost as stage
from asymflow.studies import Studies

ROOT = Path(__file__).parents[1]
SHAPES, GRID = Shapes(classes=10), (4, 4)
ARM = {"representation": {"patch_size": 8}, "target": {"rank": 8}}


def arm(**changes):
    return Arm.model_validate(ARM | changes)


def test_a_network_without_weights_has_the_tensors_of_one_with():
    for changes in ({}, {"network": {"kind": "nanodit", "size": "embedded"}}, {"network": {"kind": "dit"}}):
        made = assemble(
            arm(**changes), SHAPES, GRID, Beginning(subspace=torch.eye(192)[:, :8]), seed=0, precision=torch.float32
        ).network
        expected = {name: value.shape for name, value in made.named_parameters()}
        assert outline(arm(**changes), SHAPES, GRID, None, None) == expected
        network, dimension = bare(arm(**changes), SHAPES, GRID, None)
        assert dimension == 192 and all(value.is_meta for value in network.parameters())


class Layers(nn.Module):
    """Two matrices with a GELU between: kept are the input, what the GELU takes, what it gives."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(8, 32, device="meta"), nn.Linear(32, 8, device="meta")

    def forward(self, x, t, condition):
        return self.two(nn.functional.gelu(self.one(x)))


def test_activations_are_what_the_backward_pass_needs_each_once():
    found = cost.activation_bytes(Layers(), torch.zeros(1, 5, 8), torch.zeros(1), example(Shapes(), (1, 5)))
    assert found == 4 * 5 * (8 + 32 + 32)


def test_operations_follow_images_passes_and_evaluations():
    of = cost.Network(parameters=10, trained=10, gflops=2.0, activations=0)
    assert cost.training_gflop(arm(training={"images": 100, "warmup_images": 0}), of) == 600
    assert (
        cost.training_gflop(arm(training={"images": 100, "warmup_images": 0, "activation_checkpointing": True}), of)
        == 800
    )
    plain = Sampling(count=10, steps=4, solver="unipc")
    assert cost.sampling_gflop(plain, arm(), of) == 80
    half = ClassifierFree(scale=2.0, interval=(0.0, 0.5))
    assert cost.sampling_gflop(plain.model_copy(update={"guidance": half}), arm(), of) == 120
    # levels 1, .75, .5, .25 of which the last two are guided; a shift of 3 leaves the last alone
    assert cost.sampling_gflop(plain.model_copy(update={"guidance": half, "shift": 3.0}), arm(), of) == 100


def test_a_search_costs_at_most_all_samples_of_every_candidate_and_other_guidance_none():
    of = cost.Network(parameters=10, trained=10, gflops=2.0, activations=0)
    search = Search(scale_high=2, scale_step=1, interval_step=0.5, count=40)
    searched = Sampling(count=10, steps=2, solver="euler", guidance={"kind": "searched"})
    # levels 1 and .5: no guidance asks 2 times, scale 2 in [0, .5] 3 times, in [0, 1] 4 times
    assert cost.search_gflop(searched, search, arm(), of) == 2.0 * 40 * (2 + 3 + 4)
    both = searched.model_copy(update={"guidance": Searched(average=True)})
    assert cost.search_gflop(both, search, arm(), of) == search.averages * 2.0 * 40 * (2 + 3 + 4)
    assert cost.search_gflop(Sampling(count=10, guidance=ClassifierFree()), search, arm(), of) == 0


@pytest.mark.parametrize("solver", ["euler", "heun", "unipc"])
@pytest.mark.parametrize("guidance, for_each", [(Unguided(), 1), (ClassifierFree(), 2), (Dual(), 3)])
def test_passes_are_counted_as_the_solver_and_guidance_make_them(solver, guidance, for_each):
    """The network is called as often as the solver asks for a velocity, and guidance asks it again for each condition."""
    asked = []
    solve = parts.load(parts.solver(solver)).solve
    solve(lambda x, t: asked.append(t) or torch.zeros_like(x), torch.zeros(1, 1, 1), time_grid(4))
    setting = Sampling(count=1, steps=4, solver=solver, guidance=guidance.model_copy(update={"interval": (0.0, 1.0)}))
    assert cost.passes(setting, 1.0) == for_each * len(asked)


def test_an_evaluator_costs_what_its_towers_matrices_do():
    small = Evaluator(image_size=32, patch_size=8, width=32, heads=1, depth=1, images=100)
    twice = small.model_copy(update={"images": 200})
    assert 0 < 2 * cost.evaluator_gflop(small) == cost.evaluator_gflop(twice)


def test_memory_has_weights_gradients_states_averages_and_activations():
    of = cost.Network(parameters=100, trained=60, gflops=1.0, activations=1000)
    training = {"images": 100, "warmup_images": 0, "batch": 8, "averages": ["ema_2000", "last"]}
    assert cost.training_memory(arm(training=training), of) == 400 + 60 * (4 + 4 + 8) + 8000
    assert cost.training_memory(arm(training=training | {"micro_batch": 2}), of) == 400 + 60 * 16 + 2000
    assert cost.training_memory(arm(training=training), of, processes=4) == 400 + 60 * 16 + 2000
    sharded = arm(training=training | {"shard": True})
    assert cost.training_memory(sharded, of) == 400 + 60 * 16 + 8000
    blocks = sharded.network.blocks
    assert cost.training_memory(sharded, of, processes=4) == (400 + 60 * 16) // 4 + 400 // blocks + 2000
    assert cost.model_bytes(arm(training=training), of) == 60 * 4 * 2


@pytest.mark.slow
def test_every_study_has_a_row_and_what_they_share_is_counted_once(tmp_path):
    files = ("config.yaml", "studies.yaml", "claims.yaml", "scales/smoke.yaml")
    experiment = load([ROOT / "workflow" / file for file in files], words=None)
    config = Cost(peak_tflops=0.05, devices=2, price=3.0)
    told = Descriptions(Plan(experiment), Studies(experiment))
    run_stage(stage, config=config.model_dump_json(), plan=told.cost, out=tmp_path / "cost.csv")
    table = tables.read(tmp_path / "cost.csv").set_index("study")
    assert set(table.index) == {*experiment.studies, stage.PREPARED, stage.EVERYTHING}
    whole, rest = table.loc[stage.EVERYTHING], table.drop(stage.EVERYTHING)
    assert table.loc[stage.PREPARED, "disk_gb"] > 0
    assert rest["device_hours"].max() < whole["device_hours"] < rest["device_hours"].sum()
    assert (table["hours"] * 2 - table["device_hours"]).abs().max() < 1e-5 * whole["device_hours"]
    assert table["search_hours_at_most"].gt(0).any() == (
        "searched" in {s.guidance.kind for s in experiment.samplings.values()}
    )
    assert whole["memory_gb"] == rest["memory_gb"].max() > 0 and (table["money"] > 0).all()
