"""Reckons what every study of a scale costs before anything of it runs: hours, memory, disk, money.

python -m asymflow.stages.cost --config JSON --plan JSON --out results/cost.csv
"""

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch

from asymflow import cost
from asymflow.command import long_arguments, run
from asymflow.config.arm import Arm
from asymflow.config.cost import Cost
from asymflow.config.evaluator import Evaluator
from asymflow.config.representation import CHANNELS
from asymflow.config.sampling import Sampling
from asymflow.config.search import Search
from asymflow.data.tokens import grid_of
from asymflow.models.condition import Shapes
from asymflow.report import tables

EVERYTHING = "all of them together"
PREPARED = "made once for all"
ADDED = ("trainings", "training_hours", "other_hours", "device_hours", "hours", "disk_gb", "money")
SIDE = {"cpu": 1024, "cuda": 8192}  # of the matrices that the peak is measured with


class Scale(NamedTuple):
    """What studies are reckoned from."""

    arms: dict[str, tuple[Arm, cost.Network]]
    samplings: dict[str, Sampling]
    search: Search
    pixels: int  # numbers of an image, a byte each
    cost: Cost
    peak: float  # GFLOP/s of a device

    @property
    def training_rate(self) -> float:
        """GFLOP/s that training reaches."""
        return self.peak * self.cost.training_share

    @property
    def sampling_rate(self) -> float:
        """GFLOP/s that sampling reaches."""
        return self.peak * self.cost.sampling_share


def main() -> None:
    parser = long_arguments(__doc__)
    parser.add_argument("--config", required=True, help="the cost section as JSON")
    parser.add_argument(
        "--plan", required=True, help="studies, arms and sampling settings, and sizes of conditions, as JSON"
    )
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    config, plan = Cost.model_validate_json(arguments.config), json.loads(arguments.plan)
    peak = 1e3 * config.peak_tflops if config.peak_tflops else measured_peak()
    print(f"{peak:,.1f} GFLOP/s a device, of which training reaches {config.training_share:.0%}", flush=True)
    scale = Scale(
        arms={name: reckoned(arm, plan) for name, arm in plan["arms"].items()},
        samplings={name: Sampling.model_validate(setting) for name, setting in plan["samplings"].items()},
        search=Search.model_validate(plan["search"]),
        pixels=CHANNELS * plan["image_size"] ** 2,
        cost=config,
        peak=peak,
    )
    every = sorted({tuple(run) for runs in plan["studies"].values() for run in runs})
    rows = [row(name, list(map(tuple, runs)), scale) for name, runs in plan["studies"].items()]
    rows.append(prepared(plan, scale))
    everything = row(EVERYTHING, every, scale)
    rows.append(everything | {name: everything[name] + rows[-1][name] for name in ADDED})
    tables.write(pd.DataFrame(rows), arguments.out)


def reckoned(arm: dict[str, Any], plan: dict[str, Any]) -> tuple[Arm, cost.Network]:
    """An arm and what its network costs."""
    made = Arm.model_validate(arm["arm"])
    shapes = Shapes.parse(arm["shapes"])
    grid = grid_of(plan["image_size"], plan["image_size"], made.representation.patch_size)
    return made, cost.network(made, shapes, grid, arm["latent_dimension"])


def row(study: str, runs: list[tuple[str, int, str]], scale: Scale) -> dict[str, Any]:
    """What a study costs, whose runs are arm, seed and sampling setting; what it shares with others is counted in each."""
    trainings = sorted({(arm, seed) for arm, seed, _ in runs})
    own = [scale.arms[arm] for arm, _ in trainings]
    drawn = [(scale.samplings[setting], *scale.arms[arm]) for arm, _, setting in runs]
    training = sum(cost.training_gflop(*one) for one in own) / scale.training_rate
    drawing = sum(cost.sampling_gflop(*one) for one in drawn) / scale.sampling_rate
    searching = sum(cost.search_gflop(setting, scale.search, *one) for setting, *one in drawn) / scale.sampling_rate
    overhead = scale.cost.seconds * (len(trainings) + 2 * len(runs))  # a job to train, one to draw, one to score
    disk = sum(cost.model_bytes(*one) for one in own) + sum(setting.count for setting, *_ in drawn) * scale.pixels
    hours = (training + drawing + overhead) / 3600
    return {
        "study": study,
        "trainings": len(trainings),
        "samplings": len(runs),
        "training_hours": training / 3600,
        "sampling_hours": drawing / 3600,
        "other_hours": overhead / 3600,
        "device_hours": hours,
        "hours": hours / scale.cost.devices,
        "search_hours_at_most": searching / 3600,
        "memory_gb": max(cost.training_memory(*one, scale.cost.processes) for one in own) / 1e9,
        "disk_gb": disk / 1e9,
        "money": hours * scale.cost.price,
    }


def prepared(plan: dict[str, Any], scale: Scale) -> dict[str, Any]:
    """What is made once for all studies: the images as shards, and the evaluator, where it is trained here."""
    evaluator = plan["evaluator"] and cost.evaluator_gflop(Evaluator.model_validate(plan["evaluator"]))
    training = (evaluator or 0.0) / scale.training_rate
    overhead = scale.cost.seconds * (1 + bool(evaluator))
    hours = (training + overhead) / 3600
    return {
        "study": PREPARED,
        "trainings": int(bool(evaluator)),
        "samplings": 0,
        "training_hours": training / 3600,
        "sampling_hours": 0.0,
        "other_hours": overhead / 3600,
        "device_hours": hours,
        "hours": hours / scale.cost.devices,
        "search_hours_at_most": 0.0,
        "memory_gb": 0.0,
        "disk_gb": plan["images"] * scale.pixels / 1e9,
        "money": hours * scale.cost.price,
    }


def measured_peak() -> float:
    """Billions of operations a second of large float32 matrix products, on one thread or on the GPU; bfloat16 there."""
    cuda = torch.cuda.is_available()
    device, dtype = ("cuda", torch.bfloat16) if cuda else ("cpu", torch.float32)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    side = SIDE[device]
    matrix, count, start = torch.randn(side, side, device=device).to(dtype), 0, time.perf_counter()
    while time.perf_counter() - start < 2:
        matrix @ matrix
        if cuda:
            torch.cuda.synchronize()
        count += 1
    torch.set_num_threads(threads)
    return 2 * side**3 * count / (time.perf_counter() - start) / 1e9


if __name__ == "__main__":
    run(main)
