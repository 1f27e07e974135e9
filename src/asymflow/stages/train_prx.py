"""Trains one arm of prx-tg.

python -m asymflow.stages.train_prx --arm JSON --seed 0 --data results/data/train.json --embedded results/embedded/p16/train.json
    --subspace results/subspace/pca_rgb_p16.safetensors --state DIR --model OUT.safetensors --snapshots DIR --curve OUT.jsonl
    --summary OUT.json
"""

import argparse
import json
import shutil
from functools import partial
from pathlib import Path

import torch
import torch.distributed as distributed

from asymflow import machine, provenance
from asymflow.config.prx_arm import PrxArm
from asymflow.data.embedded import EmbeddedBatches, EmbeddedReader
from asymflow.data.reader import ShardReader
from asymflow.files import atomic, sha256
from asymflow.models.cost import gflops, parameters
from asymflow.models.nanodit import build
from asymflow.models.velocity import VelocityModel
from asymflow.subspace import file as subspace_file
from asymflow.subspace.patches import CHANNEL_LAST
from asymflow.training import prx_checkpoint
from asymflow.training.checkpoint import snapshot_path
from asymflow.training.ema import Average, Averages, StaleAverage
from asymflow.training.loop import Result, train
from asymflow.training.muon import muon_and_adam
from asymflow.training.optimiser import groups
from asymflow.training.prx import PrxObjective, draw, place_weights


def main() -> None:
    arguments = _arguments()
    rank, world_size, local_rank = machine.torchrun()
    arm = PrxArm.model_validate_json(arguments.arm)
    reader, embedded = ShardReader(arguments.data), EmbeddedReader(arguments.embedded)
    _check(arm, reader, embedded)
    here = machine.choose(arm.training.precision, arm.training.compile, local_rank)
    if world_size > 1:
        distributed.init_process_group("nccl" if here.device.type == "cuda" else "gloo")
    batches = EmbeddedBatches(
        reader, embedded, arm.training.set_images, images=arm.training.images, batch=arm.training.batch,
        seed=arguments.seed, rank=rank, world_size=world_size,
    )  # fmt: skip
    print(f"training on {here}, {world_size} process(es), {batches.count} images", flush=True)

    model = _model(arm, reader, embedded, arguments, here)
    generator = torch.Generator().manual_seed(arguments.seed)
    objective = PrxObjective(model, arm, embedded.patches, generator).to(here.device)
    average, averaged = _average(arm, model)

    def describe(images: int) -> dict:
        return {
            "arm": arm.model_dump(mode="json"),
            "image_size": reader.image_size,
            "channels": {"text": embedded.text, "cls": embedded.cls, "patches": embedded.patches},
            "seed": arguments.seed,
            "images": images,
            "code": provenance.digest("asymflow.stages.train_prx"),
        }

    kept = arguments.state / "snapshots"
    kept.mkdir(parents=True, exist_ok=True)
    result = train(
        objective,
        batches,
        arm.training,
        here,
        draw=partial(draw, arm=arm),
        optimiser=_optimiser(objective, arm),
        average=average,
        seed=arguments.seed,
        state=arguments.state,
        identity=_identity(arm, arguments, here),
        snapshot=lambda number, images: prx_checkpoint.save(
            snapshot_path(kept, number), model, averaged, describe(images)
        ),
        say=lambda text: print(text, flush=True),
    )
    if rank == 0:
        prx_checkpoint.save(arguments.model, model, averaged, describe(result.images))
        shutil.copytree(kept, arguments.snapshots, dirs_exist_ok=True)
        _write_summary(arguments, arm, model, embedded, result, batches.count, here)
    if world_size > 1:
        distributed.destroy_process_group()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arm", required=True, help="the arm's configuration as JSON")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="index of the training split")
    parser.add_argument("--embedded", type=Path, required=True, help="index of the same split, embedded")
    parser.add_argument("--subspace", type=Path, required=True, help="basis of the prediction target")
    parser.add_argument("--state", type=Path, required=True, help="folder of what an interrupted run resumes from")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument(
        "--snapshots", type=Path, required=True, help="folder of the snapshots; empty where none are kept"
    )
    parser.add_argument("--curve", type=Path, required=True)
    parser.add_argument("--summary", type=Path, required=True)
    return parser.parse_args()


def _check(arm: PrxArm, reader: ShardReader, embedded: EmbeddedReader) -> None:
    n = (reader.image_size // arm.network.patch_size) ** 2
    if arm.alignment.weight and embedded.patch_tokens != n:
        raise ValueError(
            f"alignment compares each of the {n} patches of an image with a token of its own, but {embedded.path} has"
            f" {embedded.patch_tokens} of them an image: take images whose patches match those of embeddings.image"
        )
    place_weights(embedded.read([0]).face, arm.spatial)  # raises where it needs masks that the set does not have


def _model(
    arm: PrxArm, reader: ShardReader, embedded: EmbeddedReader, arguments: argparse.Namespace, here: machine.Machine
) -> VelocityModel:
    """The untrained model, the same for all arms that differ only in their target."""
    network = build(
        arm.network,
        image_size=reader.image_size,
        text=embedded.text,
        cls=embedded.cls,
        patches=embedded.patches,
        generator=torch.Generator().manual_seed(arguments.seed),
        checkpointing=arm.training.activation_checkpointing,
    )
    agreed = {"patch_size": arm.network.patch_size, "order": CHANNEL_LAST, "colour": "rgb"}
    basis = subspace_file.load(arguments.subspace, **agreed)
    A = basis.columns(arm.columns(basis.basis.shape[0]))
    return VelocityModel(network, A, 1.0, here.precision).to(here.device).train()


def _average(arm: PrxArm, model: VelocityModel) -> tuple[Average, dict[str, torch.Tensor]]:
    """The average that moves along with training, and its weights by name."""
    weights, horizon = dict(model.network.named_parameters()), arm.training.ema_images  # not what only trains along
    if arm.training.ema == "stale":
        stale = StaleAverage(weights)
        return stale, stale.weights
    averages = Averages(weights, (horizon,))
    return averages, averages.weights[horizon]


def _optimiser(objective: PrxObjective, arm: PrxArm) -> torch.optim.Optimizer:
    law = arm.training
    common = {"betas": law.betas, "weight_decay": law.weight_decay}
    if law.optimiser == "muon":
        return muon_and_adam(objective.parameters(), lr=law.lr, **common)
    return torch.optim.AdamW(groups(objective.named_parameters(), law.lr, {}), **common, fused=True)


def _identity(arm: PrxArm, arguments: argparse.Namespace, here: machine.Machine) -> dict[str, str]:
    files = {"data": arguments.data, "embedded": arguments.embedded, "subspace": arguments.subspace}
    return {
        "configuration": arm.model_dump_json(),
        "seed": str(arguments.seed),
        "code": provenance.digest("asymflow.stages.train_prx"),
        "precision": str(here.precision),
    } | {name: sha256(path) for name, path in files.items()}


def _write_summary(
    arguments: argparse.Namespace,
    arm: PrxArm,
    model: VelocityModel,
    embedded: EmbeddedReader,
    result: Result,
    set_images: int,
    here: machine.Machine,
) -> None:
    """Curve and summary; the resumable state goes last, when nothing needs it any more."""
    summary = {
        "images": result.images,
        "set_images": set_images,
        "seconds": round(result.seconds, 2),
        "images_per_second": round(result.images / result.seconds, 2),
        "parameters": parameters(model.network),
        "gflops_per_image": round(gflops(model.network, *_one_image(arm, model, embedded)), 4),
        "peak_memory_mib": machine.peak_memory(here.device) >> 20,
        "machine": str(here),
        **provenance.record("asymflow.stages.train_prx"),
    }
    with atomic(arguments.curve) as temporary:
        shutil.copy(arguments.state / "curve.jsonl", temporary)
    with atomic(arguments.summary) as temporary:
        temporary.write_text(json.dumps(summary, indent=1))
    shutil.rmtree(arguments.state)


def _one_image(arm: PrxArm, model: VelocityModel, embedded: EmbeddedReader) -> tuple[torch.Tensor, ...]:
    """What the network takes for one image, all patches visible; only the shapes matter."""
    n = model.network.grid[0] * model.network.grid[1]
    return (
        torch.zeros(1, n, model.A.shape[0]),
        torch.zeros(1),
        torch.zeros(1, embedded.text_tokens, embedded.text),
        torch.ones(1, embedded.text_tokens, dtype=torch.bool),
        torch.zeros(1, embedded.cls),
        torch.zeros(1, embedded.patch_tokens, embedded.patches),
        torch.zeros(1, arm.network.joints, 3),
        torch.ones(1, 4, dtype=torch.bool),
        torch.arange(n),
    )


if __name__ == "__main__":
    main()
