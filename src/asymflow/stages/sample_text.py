"""Draws one image for each caption with one text-to-image arm.

python -m asymflow.stages.sample_text --sampling JSON --model results/runs/asymflow/seed0/model.safetensors
    --start results/runs/latent_base/seed0/model.safetensors --latents results/latent/autoencoder.safetensors
    --prompts results/latent/prompts.safetensors --samples OUT.npy --summary OUT.json
"""

import argparse
import json
import time
from pathlib import Path

import torch.distributed as distributed

from asymflow import machine, provenance, tensors
from asymflow.config.text_arm import TextArm
from asymflow.config.text_sampling import TextSampling
from asymflow.files import atomic, sha256
from asymflow.models import latents
from asymflow.models.text_model import assemble, restore
from asymflow.progress import Progress
from asymflow.sampling import parts
from asymflow.sampling.sampler import noise
from asymflow.sampling.text import TextRun, sample
from asymflow.training import text_checkpoint


def main() -> None:
    arguments = _arguments()
    rank, world_size, local_rank = machine.torchrun()
    settings = TextSampling.model_validate_json(arguments.sampling)
    here = machine.choose(settings.precision, "off", local_rank)
    run, told = load(arguments, here)
    prompts = tensors.load(arguments.prompts)
    count = len(prompts["text"])
    print(f"sampling on {here}, {world_size} process(es)", flush=True)
    if world_size > 1:
        distributed.init_process_group("gloo")
    folder = arguments.samples.with_suffix(".parts")
    if rank == 0:
        files = (arguments.model, arguments.prompts, *([arguments.start] if arguments.start else []))
        identity = {"files": " ".join(sha256(path) for path in files), "sampling": settings.model_dump_json()}
        parts.prepare(folder, identity | {"code": provenance.digest("asymflow.stages.sample_text")})
    if world_size > 1:
        distributed.barrier()

    start, drawn = time.perf_counter(), 0
    ranges = parts.missing(folder, count, settings.batch, rank, world_size)
    with Progress("sample_text", sum(map(len, ranges)), "images") as progress:
        for indices in ranges:
            eps = noise(told["seed"], indices, (3, told["image_size"], told["image_size"])).to(here.device)
            text = prompts["text"][indices.start : indices.stop].float().to(here.device)
            images = sample(run, eps, text, prompts["empty"].float().to(here.device), settings)
            parts.write(folder, indices, images.permute(0, 2, 3, 1).cpu().numpy())
            drawn += len(indices)
            progress.advance(len(indices))
    seconds = time.perf_counter() - start

    if world_size > 1:
        distributed.barrier()
    if rank == 0:
        images = parts.join(folder, arguments.samples)
        summary = {
            "samples": len(images),
            "images_seen": told["images"],
            "guidance": settings.guidance,
            "interval": (0.0, 1.0),
            "drawn_now": drawn * world_size,
            "seconds": round(seconds, 2),
            "seconds_per_image": round(seconds / drawn, 4) if drawn else None,
            "machine": str(here),
            **provenance.record("asymflow.stages.sample_text"),
        }
        with atomic(arguments.summary) as temporary:
            temporary.write_text(json.dumps(summary, indent=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sampling", required=True, help="the sampling setting as JSON")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--start", type=Path, nargs="?", help="the model whose weights it was trained from")
    parser.add_argument(
        "--folder", type=Path, nargs="?", help="a FLUX.2 in the format of diffusers that it started from"
    )
    parser.add_argument("--latents", type=Path, required=True, help="autoencoder, or the folder of a FLUX.2 klein")
    parser.add_argument("--prompts", type=Path, required=True, help="captions as tokens")
    parser.add_argument("--samples", type=Path, required=True)
    parser.add_argument("--summary", type=Path, required=True)
    return parser.parse_args()


def load(arguments: argparse.Namespace, here: machine.Machine) -> tuple[TextRun, dict]:
    """The trained arm on this machine, and what its file says of it."""
    weights, lift, told = text_checkpoint.load(arguments.model)
    arm = TextArm.model_validate(told["arm"])
    start = text_checkpoint.load_weights(arguments.start) if arguments.start else None
    model = assemble(arm, lift, text=told["text"], folder=arguments.folder, start=start, precision=here.precision)
    restore(model, weights)
    model = model.to(here.device).eval().requires_grad_(False)
    space = latents.load(arguments.latents, arm.patch_size, here.device)
    on_device = type(lift)(lift.A.to(here.device), lift.s)
    return TextRun(model, arm, on_device, space), told


if __name__ == "__main__":
    main()
