"""Draws the images that a sampling setting asks of one run.

python -m asymflow.stages.sample --sampling JSON --asks classes --model results/runs/rank8/seed0/model.safetensors
    --samples OUT.npy --summary OUT.json
"""

import argparse
import time
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import get_args

from asymflow import documents, parts
from asymflow.command import run
from asymflow.config.sampling import Asks, Sampling
from asymflow.files import checksum, kept, locked, tidy
from asymflow.processes import together, torchrun, wait_for_all
from asymflow.progress import Progress
from asymflow.sampling import pieces
from asymflow.sampling.asks.request import Request
from asymflow.sampling.run import Files, Run, load, weight_files
from asymflow.sampling.sampler import noise, sample

UNHURRIED = timedelta(days=30)  # a process may have a piece more than another; of one that dies all are told at once


def main() -> None:
    arguments = _arguments()
    rank, _, _ = torchrun()
    with locked(_folder(arguments)) if rank == 0 else nullcontext(), together("gloo", UNHURRIED):
        _sample(arguments)


def _sample(arguments: argparse.Namespace) -> None:
    rank, world_size, _ = torchrun()
    settings = _settings(arguments)
    run = load(arguments.model, settings, Files(arguments.start, arguments.folder, arguments.latents))
    request = parts.load(parts.request(arguments.asks)).build(run, settings, arguments.asked)
    code = parts.of_sampling(run.arm, settings.solver, arguments.asks)
    print(f"sampling on {run.machine}, {world_size} process(es)", flush=True)
    beside = (arguments.start, arguments.asked, arguments.latents)
    files = [*weight_files(arguments.model, settings), *(f for f in beside if f and f.is_file())]
    identity = {
        "files": " ".join(map(checksum, files)),
        "sampling": settings.model_dump_json(),
        "asks": arguments.asks,
        "precision": str(run.machine.precision),
        "code": code.digest(),
    }
    folder, count, batch = _folder(arguments), request.count, settings.batch
    wait_for_all()  # behind the lock, which the first process waits for
    if _is_finished(arguments, identity):
        print("these images are drawn already, whole and of the same run; nothing is left to do", flush=True)
        if rank == 0:
            tidy(arguments.samples, arguments.summary)
            pieces.remove(folder)
        return

    own = pieces.missing(folder, count, batch, identity)[rank::world_size]
    wait_for_all()  # all have looked before the first one writes
    _draw(run, request, settings, folder, own, identity)

    wait_for_all()
    if rank == 0:
        samples, seconds = pieces.join(folder, arguments.samples, count, batch, identity)
        guidance = settings.guidance.model_dump(mode="json")
        summary = {
            "samples": count,
            "asks": arguments.asks,
            "distribution": [request.distribution.start, request.distribution.stop],
            "patch_size": run.arm.representation.patch_size,
            "images_seen": run.images,
            "set_images": run.arm.training.set_images,
            "guidance": guidance,
            "weights": settings.weights or run.arm.training.averages[0],
            "seconds": round(seconds, 2),  # of one device: those of all processes added up
            "seconds_per_image": round(seconds / count, 4),
            "machine": str(run.machine),
            "identity": identity,
            "model": run.checksum,
            "data": run.data,
            "file": samples,
            **code.record(),
        }
        documents.write(arguments.summary, "sampling", summary)
        pieces.remove(folder)


def _folder(arguments: argparse.Namespace) -> Path:
    """Where the pieces lie until all are drawn."""
    return kept(arguments.samples.with_suffix(".parts"))


def _is_finished(arguments: argparse.Namespace, identity: dict[str, str]) -> bool:
    try:
        summary = documents.read(arguments.summary, "sampling")
        return (summary["identity"], summary["file"]) == (identity, checksum(arguments.samples))
    except (OSError, ValueError):
        return False


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sampling", required=True, help="the sampling setting as JSON")
    parser.add_argument("--asks", choices=get_args(Asks), required=True, help="what is asked for")
    parser.add_argument("--asked", type=Path, nargs="?", help="the prompts as tokens, or the validation suite")
    parser.add_argument("--model", type=Path, required=True, help="a model, or the folder of a run's snapshots")
    parser.add_argument("--start", type=Path, nargs="?", help="the model whose weights an adapted one began with")
    parser.add_argument("--folder", type=Path, nargs="?", help="a FLUX.2 in the format of diffusers that it began with")
    parser.add_argument("--latents", type=Path, nargs="?", help="what decodes latents: an autoencoder, or that folder")
    parser.add_argument("--guidance", type=Path, nargs="?", help="what stage search_guidance found, for 'searched'")
    parser.add_argument("--samples", type=Path, required=True)
    parser.add_argument("--summary", type=Path, required=True)
    return parser.parse_args()


def _settings(arguments: argparse.Namespace) -> Sampling:
    """The settings, with the guidance, and the average of the weights, that were found where they are searched."""
    settings = Sampling.model_validate_json(arguments.sampling)
    if settings.guidance.kind != "searched":
        return settings
    optimum = documents.read(arguments.guidance, "guidance")["optimum"]
    found = settings.guided(optimum["scale"], (0.0, optimum["end"]))
    return found.averaged(optimum["average"]) if settings.searches_average else found


def _draw(
    run: Run, request: Request, settings: Sampling, folder: Path, ranges: list[range], identity: pieces.Identity
) -> None:
    """Draws the images with the given numbers into parts. Where the network is compiled, one batch shape serves all."""
    total = sum(len(numbers) for numbers in ranges)
    with Progress("sample", total, "images") as progress:
        for numbers in ranges:
            began = time.perf_counter()
            filled = [*numbers, *[numbers[0]] * (settings.batch - len(numbers) if run.machine.compiled else 0)]
            start = noise(run.seed, request.noises(filled), run.shape).to(run.machine.device)
            condition = request.condition(filled).to(run.machine.device)
            images = sample(run, start, condition, settings)[: len(numbers)]
            drawn = images.permute(0, 2, 3, 1).cpu().contiguous().numpy()
            pieces.write(folder, numbers, drawn, identity, time.perf_counter() - began)
            progress.advance(len(numbers))


if __name__ == "__main__":
    run(main)
