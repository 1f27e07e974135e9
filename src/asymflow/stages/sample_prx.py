"""Draws the cases of the validation suite with one arm of prx-tg.

python -m asymflow.stages.sample_prx --sampling JSON --model results/runs/prx_d/seed0/model.safetensors
    --suite results/embedded/p16/suite.safetensors --samples OUT.npy --summary OUT.json
"""

import argparse
import json
import time
from pathlib import Path

import torch
import torch.distributed as distributed

from asymflow import machine, provenance
from asymflow.config.prx_arm import PrxArm
from asymflow.config.prx_sampling import PrxSampling
from asymflow.data.cases import UNPAIRED, Case, Suite
from asymflow.files import atomic, sha256
from asymflow.models.nanodit import build
from asymflow.models.velocity import VelocityModel
from asymflow.progress import Progress
from asymflow.sampling import parts
from asymflow.sampling.prx import PrxRun, sample
from asymflow.sampling.sampler import noise
from asymflow.training import prx_checkpoint
from asymflow.training.checkpoint import snapshot_path


def main() -> None:
    arguments = _arguments()
    rank, world_size, local_rank = machine.torchrun()
    settings = PrxSampling.model_validate_json(arguments.sampling)
    path = snapshot_path(arguments.model, settings.snapshot) if settings.snapshot else arguments.model
    here = machine.choose(settings.precision, "off", local_rank)
    run, images_seen = load(path, settings, here)
    suite = Suite.load(arguments.suite)
    if suite.image_size != run.image_size:
        raise ValueError(
            f"{arguments.suite} has images of {suite.image_size} pixels, but {path} draws {run.image_size}; run stage suite again"
        )
    if settings.guidance == "self" and run.arm.tread.share == 0:
        raise ValueError(f"{path} was trained without TREAD, so it cannot guide itself; set guidance to none or dual")
    print(f"sampling on {here}, {world_size} process(es)", flush=True)
    if world_size > 1:
        distributed.init_process_group("gloo")
    folder = arguments.samples.with_suffix(".parts")
    if rank == 0:
        files = " ".join(sha256(file) for file in (path, arguments.suite))
        identity = {"files": files, "sampling": settings.model_dump_json()}
        parts.prepare(folder, identity | {"code": provenance.digest("asymflow.stages.sample_prx")})
    if world_size > 1:
        distributed.barrier()

    start = time.perf_counter()
    _draw(run, suite, settings, here, folder, rank, world_size)
    seconds = time.perf_counter() - start

    if world_size > 1:
        distributed.barrier()
    if rank == 0:
        images = parts.join(folder, arguments.samples)
        summary = {
            "samples": len(images),
            "images_seen": images_seen,
            "set_images": run.arm.training.set_images,
            "guidance": settings.guidance,
            "interval": (0.0, 1.0),
            "seconds": round(seconds, 2),
            "machine": str(here),
            **provenance.record("asymflow.stages.sample_prx"),
        }
        with atomic(arguments.summary) as temporary:
            temporary.write_text(json.dumps(summary, indent=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sampling", required=True, help="the sampling setting as JSON")
    parser.add_argument("--model", type=Path, required=True, help="a model, or the folder of a run's snapshots")
    parser.add_argument("--suite", type=Path, required=True)
    parser.add_argument("--samples", type=Path, required=True)
    parser.add_argument("--summary", type=Path, required=True)
    return parser.parse_args()


def load(path: Path, settings: PrxSampling, here: machine.Machine) -> tuple[PrxRun, int]:
    """The trained arm on this machine, and how many images it had seen."""
    weights, A, told = prx_checkpoint.load(path, settings.weights)
    arm = PrxArm.model_validate(told["arm"])
    network = build(arm.network, image_size=told["image_size"], **told["channels"], generator=None, checkpointing=False)
    network.load_state_dict(weights)
    model = VelocityModel(network, A, 1.0, here.precision).to(here.device).eval().requires_grad_(False)
    return PrxRun(model, arm, told["image_size"], told["seed"]), told["images"]


def _draw(
    run: PrxRun,
    suite: Suite,
    settings: PrxSampling,
    here: machine.Machine,
    folder: Path,
    rank: int,
    world_size: int,
) -> None:
    ranges = parts.missing(folder, len(suite.cases), settings.batch, rank, world_size)
    shape = (3, run.image_size, run.image_size)
    with Progress("sample_prx", sum(map(len, ranges)), "images") as progress:
        for indices in ranges:
            rows = torch.tensor(indices)
            cases = [suite.cases[i] for i in indices]
            begun = [noise(run.seed, range(n, n + 1), shape) for n in (noise_number(c, settings.paired) for c in cases)]
            shown = suite.embedded.at(rows).float().to(here.device)
            present = torch.tensor([case.present for case in cases], device=here.device)
            images = sample(run, torch.cat(begun).to(here.device), shown, present, settings)
            parts.write(folder, indices, images.permute(0, 2, 3, 1).cpu().numpy())
            progress.advance(len(indices))


def noise_number(case: Case, paired: bool) -> int:
    """Which noise a case begins with: an edit with its original's, or where they are not paired with another."""
    return case.noise if paired or case.edit < 0 else case.noise + UNPAIRED


if __name__ == "__main__":
    main()
