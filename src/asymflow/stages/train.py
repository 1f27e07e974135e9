"""Trains one arm.

python -m asymflow.stages.train --arm JSON --seed 0 --data results/data/train.json
    --subspace results/subspace/pca_rgb_p16.safetensors --pca results/subspace/pca_rgb_p16.safetensors
    --state DIR --model OUT.safetensors --snapshots DIR --curve OUT.jsonl --summary OUT.json
"""

import argparse
import json
import shutil
from functools import partial
from pathlib import Path

import torch
import torch.distributed as distributed

from asymflow import machine, provenance
from asymflow.config.arm import Arm
from asymflow.data.batches import Batches
from asymflow.data.reader import ShardReader
from asymflow.files import atomic, sha256
from asymflow.models.cost import gflops, parameters
from asymflow.models.jit import build
from asymflow.models.velocity import VelocityModel
from asymflow.subspace import file as subspace_file
from asymflow.subspace.patches import CHANNEL_LAST
from asymflow.training import checkpoint
from asymflow.training.ema import Averages
from asymflow.training.loop import train
from asymflow.training.optimiser import groups
from asymflow.training.repa import Aligned
from asymflow.training.step import FlowMatching, draw
from asymflow.training.teachers import DINOV2, DinoTeacher, LocalTeacher


def main() -> None:
    arguments = _arguments()
    rank, world_size, local_rank = machine.torchrun()
    arm, reader = Arm.model_validate_json(arguments.arm), ShardReader(arguments.data)
    here = machine.choose(arm.training.precision, arm.training.compile, local_rank)
    if world_size > 1:
        distributed.init_process_group("nccl" if here.device.type == "cuda" else "gloo")
    print(f"training on {here}, {world_size} process(es), {len(reader)} images", flush=True)

    model = _build(arm, reader, arguments, here)
    batches = Batches(
        reader,
        images=arm.training.images,
        batch=arm.training.batch,
        seed=arguments.seed,
        rank=rank,
        world_size=world_size,
    )
    identity = {
        "configuration": arm.model_dump_json(),
        "seed": str(arguments.seed),
        "code": provenance.digest("asymflow.stages.train"),
        "data": sha256(arguments.data),
        "subspace": sha256(arguments.subspace) + sha256(arguments.pca),
        "teacher": sha256(arguments.teacher) if arguments.teacher else "",
        "precision": str(here.precision),
    }
    teacher = _teacher(arm, arguments.teacher, here)
    objective = _objective(arm, model, teacher, arguments.seed).to(here.device)
    averages = Averages(
        dict(model.network.named_parameters()), arm.training.ema_images
    )  # without what only trains along
    result = train(
        objective,
        batches,
        arm.training,
        here,
        draw=partial(
            draw,
            patch_size=arm.model.patch_size,
            colour=arm.model.colour,
            null_label=len(reader.classes),
            training=arm.training,
            teacher=teacher,
        ),
        optimiser=_optimiser(objective, arm),
        average=averages,
        seed=arguments.seed,
        state=arguments.state,
        identity=identity,
        snapshot=lambda number, images: checkpoint.save_model(
            checkpoint.snapshot_path(_made(arguments.state / "snapshots"), number),
            averages,
            model.A,
            _description(arguments, arm, reader, images),
        ),
        say=lambda text: print(text, flush=True),
    )
    if rank == 0:
        _write(arguments, arm, reader, model, averages, result, here)
    if world_size > 1:
        distributed.destroy_process_group()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arm", required=True, help="the arm's configuration as JSON")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="index of the training split")
    parser.add_argument("--subspace", type=Path, required=True, help="basis of the prediction target")
    parser.add_argument("--pca", type=Path, required=True, help="basis that the patch embedding starts from")
    parser.add_argument(
        "--teacher", type=Path, nargs="?", help="the local evaluator, where features are aligned with it"
    )
    parser.add_argument("--state", type=Path, required=True, help="folder of what an interrupted run resumes from")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument(
        "--snapshots", type=Path, required=True, help="folder of the snapshots; empty where none are kept"
    )
    parser.add_argument("--curve", type=Path, required=True)
    parser.add_argument("--summary", type=Path, required=True)
    return parser.parse_args()


def _build(arm: Arm, reader: ShardReader, arguments: argparse.Namespace, here: machine.Machine) -> VelocityModel:
    """The untrained model, the same for every process and for every arm that differs only in its target."""
    network = build(
        arm.model,
        image_size=reader.image_size,
        classes=len(reader.classes),
        generator=torch.Generator().manual_seed(arguments.seed),
        checkpointing=arm.training.activation_checkpointing,
    )
    agreed = {"patch_size": arm.model.patch_size, "order": CHANNEL_LAST, "colour": arm.model.colour}
    network.initialise_from_pca(subspace_file.load(arguments.pca, **agreed).columns(arm.model.embed_pca))
    basis = subspace_file.load(arguments.subspace, **agreed)
    A = basis.columns(arm.target.columns(basis.basis.shape[0]))
    return VelocityModel(network, A, 1.0, here.precision).to(here.device).train()


def _teacher(arm: Arm, path: Path | None, here: machine.Machine) -> LocalTeacher | DinoTeacher | None:
    """Whoever the features are aligned with; None where alignment is off."""
    if arm.repa.weight == 0:
        return None
    if arm.repa.teacher == "local":
        return LocalTeacher.load(path, here.device)
    return DinoTeacher.load(DINOV2, arm.model.patch_size, here.device)


def _objective(arm: Arm, model: VelocityModel, teacher: LocalTeacher | DinoTeacher | None, seed: int) -> FlowMatching:
    """What training minimises."""
    if teacher is None:
        return FlowMatching(model, arm.training)
    return Aligned(model, arm.training, arm.repa, teacher.width, torch.Generator().manual_seed(seed))


def _optimiser(objective: FlowMatching, arm: Arm) -> torch.optim.AdamW:
    training = arm.training
    return torch.optim.AdamW(
        groups(objective.named_parameters(), training.lr, {}),
        betas=training.betas,
        weight_decay=training.weight_decay,
        fused=True,
    )


def _write(arguments, arm, reader, model, averages, result, here) -> None:
    """The model, its snapshots, curve and summary; the resumable state goes last, when nothing needs it any more."""
    checkpoint.save_model(arguments.model, averages, model.A, _description(arguments, arm, reader, result.images))
    shutil.copytree(_made(arguments.state / "snapshots"), arguments.snapshots, dirs_exist_ok=True)
    summary = {
        "images": result.images,
        "seconds": round(result.seconds, 2),
        "images_per_second": round(result.images / result.seconds, 2),
        "parameters": parameters(model.network),
        "gflops_per_image": round(gflops(model.network, *_one_image(arm, reader)), 4),
        "peak_memory_mib": machine.peak_memory(here.device) >> 20,
        "machine": str(here),
        **provenance.record("asymflow.stages.train"),
    }
    with atomic(arguments.curve) as temporary:
        shutil.copy(arguments.state / "curve.jsonl", temporary)
    with atomic(arguments.summary) as temporary:
        temporary.write_text(json.dumps(summary, indent=1))
    shutil.rmtree(arguments.state)


def _description(arguments, arm, reader, images: int) -> dict:
    """What a model file says of itself; `images` is what it has seen."""
    return {
        "arm": arm.model_dump(mode="json"),
        "classes": reader.classes,
        "image_size": reader.image_size,
        "seed": arguments.seed,
        "images": images,
        "code": provenance.digest("asymflow.stages.train"),
    }


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _one_image(arm: Arm, reader: ShardReader) -> tuple[torch.Tensor, ...]:
    """What the network takes for one image; only the shapes matter."""
    patch = arm.model.patch_size
    return (
        torch.zeros(1, (reader.image_size // patch) ** 2, 3 * patch**2),
        torch.zeros(1),
        torch.zeros(1, dtype=torch.long),
    )


if __name__ == "__main__":
    main()
