"""Measures how far the samples of a lifted arm are from the lift of those of the latent model that it began with.

Before any finetuning this is rounding: from the same noise, step by step, the pixel sample is the lift of the latent one.
                                                                                                     [AsymFlow, theorem 1]

python -m asymflow.stages.coupling --sampling JSON --asks captions --asked results/conditions/captions_local/prompts.json
    --model results/runs/lifted/seed0/model.safetensors --start results/runs/latent_base/seed0/model.safetensors
    --latents results/latent/autoencoder.safetensors --summary results/runs/lifted/seed0/captions/samples.json --out OUT.json
"""

import argparse
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from asymflow import documents, lineage, parts
from asymflow.command import run
from asymflow.config.sampling import Asks, Sampling
from asymflow.flow.asymmetric import calibration
from asymflow.flow.guidance import Velocity
from asymflow.flow.solver import constant_time, euler, time_grid
from asymflow.models.condition import Condition
from asymflow.progress import Progress
from asymflow.sampling.run import Files, Run, load
from asymflow.sampling.sampler import noise, tokens

IMAGES, STEPS = 64, 16


def main() -> None:
    arguments = _arguments()
    settings = Sampling.model_validate_json(arguments.sampling)
    precise = Sampling(precision="float32", compile="off")  # what is measured is rounding
    lifted = load(
        arguments.model,
        precise.model_copy(update={"weights": settings.weights, "snapshot": settings.snapshot}),
        Files(arguments.start, arguments.folder),
    )
    latent = load(arguments.start, precise, Files(latents=arguments.latents))
    summary = documents.read(arguments.summary, "sampling")
    lineage.check_weights(arguments.summary, summary["model"], arguments.model, lifted.checksum)
    request = parts.load(parts.request(arguments.asks)).build(lifted, settings, arguments.asked)
    numbers = request.distribution[:IMAGES]
    squared = torch.zeros(2, dtype=torch.float64)
    with Progress("coupling", len(numbers), "images") as progress:
        for first in range(0, len(numbers), settings.batch):
            batch = numbers[first : first + settings.batch]
            start = noise(lifted.seed, request.noises(batch), lifted.shape).to(lifted.machine.device)
            squared += apart(lifted, latent, tokens(lifted, start), request.condition(batch).to(start.device))
            progress.advance(len(batch))
    result = {
        "metrics": {"coupling_error": (squared[0] / squared[1]).sqrt().item()},
        "samples": len(numbers),
        "file": summary["file"],
        "model": lifted.checksum,
        "images_seen": lifted.images,
        **parts.of_coupling(lifted.arm, arguments.asks).record(),
    }
    documents.write(arguments.out, "score", result)


@torch.inference_mode()
def apart(lifted: Run, latent: Run, eps: Tensor, condition: Condition) -> Tensor:
    """Squared norms of x - s A z and of s A z: samples of both by Euler's method, from eps and A^T eps.

    The noise levels are shared: those of the latent model are tau = k t.                      [AsymFlow, eq. 13-15 and 40]
    """
    A, s = lifted.model.A, lifted.model.s
    times = time_grid(STEPS, lifted.arm.training.shift)
    exact = torch.tensor(times, dtype=torch.float64)
    latent_times = (exact * calibration(exact, s)).tolist()
    x = euler(_field(lifted, condition), eps, times)
    z = euler(_field(latent, condition), eps @ A, latent_times)
    lift = s * z @ A.T
    return torch.stack([(x - lift).double().square().sum(), lift.double().square().sum()]).cpu()


def _field(of: Run, condition: Condition) -> Velocity:
    return lambda x, t: of.model(x, constant_time(t, x), condition, sigma_min=0.0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sampling", required=True, help="the sampling setting as JSON")
    parser.add_argument("--asks", choices=get_args(Asks), required=True, help="what is asked for")
    parser.add_argument("--asked", type=Path, nargs="?", help="the prompts as tokens, or the validation suite")
    parser.add_argument("--model", type=Path, required=True, help="the lifted model, or the folder of its snapshots")
    parser.add_argument("--start", type=Path, required=True, help="the latent model that it began with")
    parser.add_argument("--folder", type=Path, nargs="?", help="a FLUX.2 in the format of diffusers that it began with")
    parser.add_argument("--latents", type=Path, required=True, help="what decodes latents")
    parser.add_argument("--summary", type=Path, required=True, help="what stage sample says of the run")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
