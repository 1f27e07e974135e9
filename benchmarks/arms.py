"""Measures what an update of each arm costs, in seconds, operations and memory, on random images of the default's shapes.

    python benchmarks/arms.py text      # finetuning: plain, variance-reduced, with the perceptual part; decoder head; sampling
    python benchmarks/arms.py prx       # prx-tg: TREAD, Muon, alignment, shared modulation, scan

Each arm runs in a process of its own, so that its peak memory is its own; rounds go through all arms in turn, and the table has
the median over rounds, so that a busy moment of the machine does not fall on one arm.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import yaml

from asymflow import machine
from asymflow.config.experiment import Experiment, load
from asymflow.config.prx_arm import PrxArm
from asymflow.config.text_arm import TextArm
from asymflow.metrics.perceptual import Lpips, untrained
from asymflow.models.cost import gflops
from asymflow.models.nanodit import build
from asymflow.models.text_model import Lift, assemble
from asymflow.models.velocity import VelocityModel
from asymflow.subspace.bases import random_basis
from asymflow.training import finetuning, prx
from asymflow.training.muon import muon_and_adam
from asymflow.training.optimiser import adam, groups

CONFIG = Path(__file__).parents[1] / "workflow/config.yaml"
SIDE, WORDS, TEXT, TOKEN, CLS, PATCHES = 64, 48, 128, 128, 128, 192  # of the default's images and embeddings
ARMS = {
    "text": ("latent_finetune", "ddt", "asymflow", "asymflow_vr", "asymflow_lpips"),
    "prx": ("prx_a", "prx_b", "prx_c", "prx_d", "prx_g", "prx_d_shared", "prx_d_scan"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=ARMS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=8, help="updates of each arm in a round")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--one", help="measure this arm here and print JSON")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments)))
        return
    found: dict[str, list[dict]] = {arm: [] for arm in ARMS[arguments.what]}
    for _ in range(arguments.rounds):
        for arm, rows in found.items():
            command = [sys.executable, __file__, *sys.argv[1:], "--one", arm]
            rows.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    print(
        f"{found[ARMS[arguments.what][0]][0]['machine']}, batch {arguments.batch}, {arguments.rounds} rounds, medians"
    )
    print(
        f"{'arm':<16} {'ms/update':>10} {'GFLOPs/image':>13} {'MiB over idle':>14} {'parameters':>12} {'trained':>10}"
    )
    for arm, rows in found.items():
        seconds, memory = (statistics.median(row[key] for row in rows) for key in ("seconds", "memory"))
        row = rows[0]
        print(
            f"{arm:<16} {1000 * seconds:>10.0f} {row['gflops']:>13.3f} {memory / 2**20:>14.0f}"
            f" {row['parameters']:>12,} {row['trained']:>10,}"
        )


def measure(arguments: argparse.Namespace) -> dict:
    """Seconds of an update, operations of a forward pass in training, and memory above what was taken before the first update."""
    experiment = load(yaml.safe_load(CONFIG.read_text()), [CONFIG])
    here = machine.choose("auto", "off")
    torch.manual_seed(0)
    make = text_arm if arguments.what == "text" else prx_arm
    objective, optimiser, draw, forward = make(experiment, arguments, here)
    idle = machine.peak_memory(here.device)

    def update() -> None:
        sum(objective(draw()).values()).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    update()
    times = []
    for _ in range(arguments.updates):
        start = time.perf_counter()
        update()
        if here.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    network = objective.model.network
    return {
        "seconds": statistics.median(times),
        "gflops": gflops(network, *forward),
        "memory": machine.peak_memory(here.device) - idle,
        "parameters": sum(p.numel() for p in network.parameters()),
        "trained": sum(p.numel() for p in network.parameters() if p.requires_grad),
        "machine": str(here),
    }


Made = tuple[torch.nn.Module, torch.optim.Optimizer, Callable[[], object], tuple]


def text_arm(experiment: Experiment, arguments: argparse.Namespace, here: machine.Machine) -> Made:
    """A finetuning arm on a random latent model and a random lift."""
    arm: TextArm = experiment.text_arms[arguments.one]
    n, D = (SIDE // arm.patch_size) ** 2, 3 * arm.patch_size**2
    lift = Lift(random_basis(D, 0)[:, :TOKEN].float(), 1.9)
    model = assemble(arm, lift, text=TEXT, folder=None, start=None, precision=here.precision).to(here.device).train()
    distance = Lpips(untrained("squeeze"), "lpips_local").to(here.device) if arm.loss.perceptual else None
    objective = finetuning.Finetuning(model, arm.loss, arm.training.sigma_min, arm.patch_size, arm.colour, distance).to(
        here.device
    )
    images, latents, text = _images(arguments.batch), torch.randn(arguments.batch, n, TOKEN), _text(arguments.batch)
    given = [x.to(here.device) for x in (images, latents, text)]
    parameters = groups(objective.named_parameters(), arm.training.lr, arm.training.multiples)
    optimiser, _ = adam(parameters, betas=arm.training.betas, weight_decay=0.0, device=here.device)
    empty = torch.zeros(WORDS, TEXT, device=here.device)
    shown = finetuning.draw(*(x[:1] for x in given), arm=arm, empty=empty)
    forward = (shown.x_0, shown.t, shown.text, shown.positions)
    return objective, optimiser, lambda: finetuning.draw(*given, arm=arm, empty=empty), forward


def prx_arm(experiment: Experiment, arguments: argparse.Namespace, here: machine.Machine) -> Made:
    """An arm of prx-tg with random weights."""
    arm: PrxArm = experiment.prx_arms[arguments.one]
    n, D = (SIDE // arm.network.patch_size) ** 2, 3 * arm.network.patch_size**2
    network = build(
        arm.network, image_size=SIDE, text=TEXT, cls=CLS, patches=PATCHES, generator=None, checkpointing=False
    )
    A = random_basis(D, 0)[:, : arm.columns(D)].float()
    model = VelocityModel(network, A, 1.0, here.precision).to(here.device).train()
    objective = prx.PrxObjective(model, arm, PATCHES, torch.Generator().manual_seed(0)).to(here.device)
    b, law = arguments.batch, arm.training
    given = (
        _images(b), _text(b), torch.ones(b, WORDS, dtype=torch.bool), torch.randn(b, CLS), torch.randn(b, n, PATCHES),
        torch.full((b, n), 0.3), torch.tensor(0),
    )  # fmt: skip
    given = [x.to(here.device) for x in given]
    options = {"lr": law.lr, "betas": law.betas, "weight_decay": law.weight_decay}
    make = muon_and_adam if law.optimiser == "muon" else lambda p, **o: torch.optim.AdamW(p, **o, fused=True)
    shown = prx.draw(*(x[:1] for x in given[:-1]), given[-1], arm=arm)
    forward = (shown.x_0, shown.t, *prx.conditions(shown))
    return objective, make(objective.parameters(), **options), lambda: prx.draw(*given, arm=arm), forward


def _images(count: int) -> torch.Tensor:
    return torch.randint(256, (count, 3, SIDE, SIDE), dtype=torch.uint8)


def _text(count: int) -> torch.Tensor:
    return torch.randn(count, WORDS, TEXT)


if __name__ == "__main__":
    main()
