"""Measures what drawing an image costs with trained arms, for instance a latent model with its decoder against pixel models.

    python benchmarks/draw.py results captions latent_base asymflow_lpips

The arms draw in turn what the sampling setting asks for, and the table has the median over rounds.
"""

import argparse
import statistics
import time
from pathlib import Path
from types import SimpleNamespace

import torch

from asymflow import parts
from asymflow.config.loading import load
from asymflow.plan import Plan
from asymflow.sampling import run as finished
from asymflow.sampling.run import Files, Run
from asymflow.sampling.sampler import noise, sample

SEED = 0
WORKFLOW = Path(__file__).parents[1] / "workflow"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results")
    parser.add_argument("sampling", help="the sampling setting")
    parser.add_argument("arms", nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=50)
    arguments = parser.parse_args()
    experiment = load(
        [WORKFLOW / "config.yaml", WORKFLOW / "studies.yaml", WORKFLOW / "claims.yaml"],
        {"pathvars": {"results": arguments.results}},
    )
    plan, settings = Plan(experiment), experiment.samplings[arguments.sampling]
    draws, runs = {}, {}
    for arm in arguments.arms:
        where = SimpleNamespace(arm=arm, seed=SEED, sampling=arguments.sampling)
        inputs = {name: Path(path) if path else None for name, path in plan.sample(where).items()}
        runs[arm] = run = finished.load(inputs["model"], settings, Files(inputs["start"], None, inputs["latents"]))
        request = parts.load(parts.request(plan.asks(where))).build(run, settings, inputs["asked"])
        numbers = range(arguments.batch)
        start = noise(SEED, request.noises(numbers), run.shape).to(run.machine.device)
        condition = request.condition(numbers).to(run.machine.device)
        draws[arm] = lambda run=run, start=start, condition=condition: sample(run, start, condition, settings)

    times: dict[str, list[float]] = {arm: [] for arm in draws}
    for _ in range(arguments.rounds + 1):  # the first warms up
        for arm, draw in draws.items():
            times[arm].append(_seconds(draw))
    machine = runs[arguments.arms[0]].machine
    print(f"{machine}, {arguments.sampling}, batch {arguments.batch}, median of {arguments.rounds} rounds")
    for arm, seconds in times.items():
        each, low, high = (1000 * f(seconds[1:]) / arguments.batch for f in (statistics.median, min, max))
        print(f"{arm:<16} {each:8.2f} ms an image ({low:.2f} to {high:.2f}){_decoding(runs[arm], arguments.batch)}")


def _decoding(run: Run, count: int) -> str:
    """How much of it is the decoder, for an arm of latents."""
    if run.arm.representation.space == "pixel":
        return ""
    rows, columns = run.grid
    tokens = torch.randn(count, rows * columns, run.lift.A.shape[1], device=run.machine.device)
    seconds = min(_seconds(lambda: run.latents.decode(tokens, run.grid)) for _ in range(3))
    return f", of it {1000 * seconds / count:.2f} the decoder"


def _seconds(call) -> float:
    start = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
