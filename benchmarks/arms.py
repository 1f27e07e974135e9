"""Measures what an update of each arm costs, in seconds, operations and memory, on random images of the default's shapes.

    python benchmarks/arms.py asymflow asymflow_vr asymflow_lpips ddt      # finetuning: plain, variance-reduced, perceptual; head
    python benchmarks/arms.py prx_a prx_b prx_c prx_d prx_d_scan           # prx-tg: TREAD, Muon, alignment, scan
    python benchmarks/arms.py rank0 rank8 rank8_repa                       # from scratch

Each arm runs in a process of its own, so that its peak memory is its own; rounds go through all arms in turn, and the table has
the median over rounds, so that a busy moment of the machine does not fall on one arm.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

from asymflow import machine, parts
from asymflow.config.arm import Arm
from asymflow.config.evaluator import Evaluator
from asymflow.config.loading import load
from asymflow.metrics.tower import ImageTower
from asymflow.models.assemble import Beginning, Lift, assemble
from asymflow.models.condition import Shapes
from asymflow.models.cost import gflops
from asymflow.subspace.bases import random_basis
from asymflow.training import objective
from asymflow.training.example import draw
from asymflow.training.teachers import LocalTeacher
from asymflow.training.terms import alignment, variance_reduction

WORKFLOW = Path(__file__).parents[1] / "workflow"
SIDE, WORDS, TEXT, TOKEN, EMBEDDING, PATCHES = 64, 48, 128, 128, 128, 192  # of the default's images and conditions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arms", nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=8, help="updates of each arm in a round")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--one", action="store_true", help="measure the only arm here and print JSON")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments)))
        return
    rows_by_arm: dict[str, list[dict]] = {arm: [] for arm in arguments.arms}
    options = ["--updates", str(arguments.updates), "--batch", str(arguments.batch), "--one"]
    for _ in range(arguments.rounds):
        for arm, rows in rows_by_arm.items():
            command = [sys.executable, __file__, arm, *options]
            rows.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    machine_name = next(iter(rows_by_arm.values()))[0]["machine"]
    print(f"{machine_name}, batch {arguments.batch}, {arguments.rounds} rounds, medians")
    print(
        f"{'arm':<16} {'ms/update':>10} {'GFLOPs/image':>13} {'MiB over idle':>14} {'parameters':>12} {'trained':>10}"
    )
    for arm, rows in rows_by_arm.items():
        seconds, memory = (statistics.median(row[key] for row in rows) for key in ("seconds", "memory"))
        row = rows[0]
        print(
            f"{arm:<16} {1000 * seconds:>10.0f} {row['gflops']:>13.3f} {memory / 2**20:>14.0f}"
            f" {row['parameters']:>12,} {row['trained']:>10,}"
        )


def measure(arguments: argparse.Namespace) -> dict:
    """Seconds of an update, operations of a forward pass in training, and memory above what was taken before the first update."""
    arm = load([WORKFLOW / "config.yaml", WORKFLOW / "studies.yaml", WORKFLOW / "claims.yaml"]).arms[arguments.arms[0]]
    hardware = machine.choose("auto", "off")
    torch.manual_seed(0)
    minimised = made(arm, hardware)
    optimiser, _ = parts.load(parts.optimiser(arm)).build(minimised, arm.training, hardware.device)
    given = {name: values.to(hardware.device) for name, values in batch(arm, arguments.batch).items()}
    empty = torch.zeros(WORDS, TEXT, device=hardware.device)
    idle = machine.peak_memory(hardware.device)

    def update() -> None:
        sum(minimised(draw(given, 0.0, arm=arm, empty=empty)).values()).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    update()
    times = []
    for _ in range(arguments.updates):
        start = time.perf_counter()
        update()
        if hardware.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    network = minimised.model.network
    shown = draw(given, 0.0, arm=arm, empty=empty).split(1)[0]
    return {
        "seconds": statistics.median(times),
        "gflops": gflops(network, shown.x_0, shown.t, shown.condition),
        "memory": machine.peak_memory(hardware.device) - idle,
        "parameters": sum(p.numel() for p in network.parameters()),
        "trained": sum(p.numel() for p in network.parameters() if p.requires_grad),
        "machine": str(hardware),
    }


def made(arm: Arm, hardware: machine.Machine) -> objective.Objective:
    """The objective of an arm with random weights, a random subspace and lift, and untrained judges."""
    modalities, patches = arm.conditions.modalities, (SIDE // arm.representation.patch_size) ** 2
    shapes = Shapes(
        classes=10 if "class" in modalities else 0,
        caption=(WORDS, TEXT) if "caption" in modalities else (0, 0),
        embedding=EMBEDDING if "embedding" in modalities else 0,
        patches=(patches, PATCHES) if "patches" in modalities else (0, 0),
    )
    D, latent = arm.representation.dimension, arm.lifted or arm.representation.space == "latent"
    beginning = Beginning(
        subspace=None if latent else random_basis(D, 0)[:, : arm.target.columns(D)].float(),
        lift=Lift(random_basis(D, 0)[:, :TOKEN].float(), 1.9) if latent else None,
    )
    grid = (SIDE // arm.representation.patch_size,) * 2
    model = assemble(arm, shapes, grid, beginning, seed=0, precision=hardware.precision).to(hardware.device).train()
    # judges whose weights do not matter to what an update costs
    alignment.LocalTeacher.load = lambda path, device: LocalTeacher(ImageTower(Evaluator()), SIDE).to(device)
    variance_reduction.perceptual.load = lambda path, backbone, device: _untrained(device)
    return objective.build(arm, model, objective.Needs(0, hardware.device, patch_tokens=PATCHES))


def _untrained(device: torch.device) -> torch.nn.Module:
    from asymflow.metrics.perceptual import Lpips, untrained

    return Lpips(untrained("squeeze"), "lpips_local").to(device)


def batch(arm: Arm, count: int) -> dict[str, torch.Tensor]:
    """Random images with everything that an arm may be conditioned on."""
    n = (SIDE // arm.representation.patch_size) ** 2
    return {
        "images": torch.randint(256, (count, 3, SIDE, SIDE), dtype=torch.uint8),
        "label": torch.zeros(count, dtype=torch.long),
        "text": torch.randn(count, WORDS, TEXT),
        "mask": torch.ones(count, WORDS, dtype=torch.bool),
        "embedding": torch.randn(count, EMBEDDING),
        "patches": torch.randn(count, n, PATCHES),
        "face": torch.full((count, n), 0.3),
        "latents": torch.randn(count, n, TOKEN),
    }


if __name__ == "__main__":
    main()
