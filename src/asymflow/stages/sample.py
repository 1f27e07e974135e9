"""Draws the samples of one run under one sampling setting.

python -m asymflow.stages.sample --sampling JSON --model results/runs/rank8/seed0/model.safetensors
    --samples OUT.npy --summary OUT.json
"""

import argparse
import json
import time
from pathlib import Path

import torch.distributed as distributed
from torch.nn.functional import pad

from asymflow import machine, provenance
from asymflow.config.sampling import Sampling
from asymflow.files import atomic, sha256
from asymflow.progress import Progress
from asymflow.sampling import parts
from asymflow.sampling.run import Run, load
from asymflow.sampling.sampler import balanced_labels, noise, sample
from asymflow.training.checkpoint import snapshot_path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sampling", required=True, help="the sampling setting as JSON")
    parser.add_argument("--model", type=Path, required=True, help="a model, or the folder of a run's snapshots")
    parser.add_argument("--guidance", type=Path, nargs="?", help="what stage search_guidance found, for 'searched'")
    parser.add_argument("--samples", type=Path, required=True)
    parser.add_argument("--summary", type=Path, required=True)
    arguments = parser.parse_args()
    rank, world_size, local_rank = machine.torchrun()

    settings = Sampling.model_validate_json(arguments.sampling)
    if settings.guidance == "searched":
        found = json.loads(arguments.guidance.read_text())["optimum"]
        settings = settings.model_copy(update={"guidance": found["scale"], "interval": (0.0, found["end"])})
    path = snapshot_path(arguments.model, settings.snapshot) if settings.snapshot else arguments.model
    run = load(path, settings, local_rank)
    print(f"sampling on {run.machine}, {world_size} process(es)", flush=True)
    if world_size > 1:
        distributed.init_process_group("gloo")
    folder = arguments.samples.with_suffix(".parts")
    if rank == 0:
        code = provenance.digest("asymflow.stages.sample")
        model = sha256(path)
        parts.prepare(folder, {"model": model, "sampling": settings.model_dump_json(), "code": code})
    if world_size > 1:
        distributed.barrier()

    start = time.perf_counter()
    drawn = _draw(run, settings, folder, parts.missing(folder, settings.count, settings.batch, rank, world_size))
    seconds = time.perf_counter() - start

    if world_size > 1:
        distributed.barrier()
    if rank == 0:
        images = parts.join(folder, arguments.samples)
        summary = {
            "samples": len(images),
            "images_seen": run.images,
            "guidance": settings.guidance,
            "interval": settings.interval,
            "drawn_now": drawn * world_size,
            "seconds": round(seconds, 2),
            "machine": str(run.machine),
            **provenance.record("asymflow.stages.sample"),
        }
        with atomic(arguments.summary) as temporary:
            temporary.write_text(json.dumps(summary, indent=1))


def _draw(run: Run, settings: Sampling, folder: Path, ranges: list[range]) -> int:
    """Draws the given index ranges into parts. Short ranges are filled up, so that one batch shape serves all."""
    total = sum(len(indices) for indices in ranges)
    with Progress("sample", total, "images") as progress:
        for indices in ranges:
            missing = (0, settings.batch - len(indices))
            start = pad(noise(run.seed, indices, run.shape), (0,) * 6 + missing).to(run.machine.device)
            labels = pad(balanced_labels(indices, len(run.classes)), missing).to(run.machine.device)
            images = sample(
                run.model,
                start,
                labels,
                patch_size=run.arm.model.patch_size,
                colour=run.arm.model.colour,
                null_label=run.null_label,
                settings=settings,
            )
            parts.write(folder, indices, images[: len(indices)].permute(0, 2, 3, 1).cpu().numpy())
            progress.advance(len(indices))
    return total


if __name__ == "__main__":
    main()
