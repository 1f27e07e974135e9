"""Trains one text-to-image arm: a latent model from the start, or what finetuning makes of one.

python -m asymflow.stages.train_text --arm JSON --seed 0 --data results/data/train.json --encoded results/latent/train.json
    --lift results/latent/lift_oklab_p16.safetensors --start results/runs/latent_base/seed0/model.safetensors
    --state DIR --model OUT.safetensors --curve OUT.jsonl --summary OUT.json
"""

import argparse
import json
import shutil
from functools import partial
from pathlib import Path

import torch
import torch.distributed as distributed

from asymflow import machine, provenance
from asymflow.config.text_arm import TextArm
from asymflow.data.batches import EncodedBatches
from asymflow.data.encoded import EncodedReader
from asymflow.data.reader import ShardReader
from asymflow.files import atomic, sha256
from asymflow.metrics import perceptual
from asymflow.models.cost import gflops
from asymflow.models.text_model import assemble, trained
from asymflow.models.text_transformer import grid_positions
from asymflow.models.velocity import VelocityModel
from asymflow.training import text_checkpoint
from asymflow.training.ema import PowerAverage
from asymflow.training.finetuning import Finetuning, draw
from asymflow.training.loop import Result, train
from asymflow.training.optimiser import adam, groups


def main() -> None:
    arguments = _arguments()
    rank, world_size, local_rank = machine.torchrun()
    arm = TextArm.model_validate_json(arguments.arm)
    reader, encoded = ShardReader(arguments.data), EncodedReader(arguments.encoded)
    _check_grids(reader, encoded, arm.patch_size, arguments.encoded)
    here = machine.choose(arm.training.precision, arm.training.compile, local_rank)
    if world_size > 1:
        distributed.init_process_group("nccl" if here.device.type == "cuda" else "gloo")
    print(f"training on {here}, {world_size} process(es), {len(reader)} images", flush=True)

    model = _model(arm, encoded, arguments, here)
    objective = _objective(arm, model, arguments, here)
    training = arm.training
    optimiser, what = adam(
        groups(objective.named_parameters(), training.lr, training.multiples),
        betas=training.betas,
        weight_decay=training.weight_decay,
        device=here.device,
    )
    print(what, flush=True)
    average = PowerAverage(trained(model), training.ema_gamma)
    result = train(
        objective,
        EncodedBatches(
            reader,
            encoded,
            images=training.images,
            batch=training.batch,
            seed=arguments.seed,
            rank=rank,
            world_size=world_size,
        ),
        training,
        here,
        draw=partial(draw, arm=arm, empty=encoded.empty.to(here.device)),
        optimiser=optimiser,
        average=average,
        seed=arguments.seed,
        state=arguments.state,
        identity=_identity(arm, arguments, here),
        snapshot=lambda number, images: None,
        say=lambda text: print(text, flush=True),
    )
    if rank == 0:
        _write(arguments, arm, reader, encoded, model, average, result, here)
    if world_size > 1:
        distributed.destroy_process_group()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arm", required=True, help="the arm's configuration as JSON")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="index of the training split")
    parser.add_argument("--encoded", type=Path, required=True, help="index of the same split, encoded")
    parser.add_argument("--lift", type=Path, required=True, help="how latent tokens lie in patches")
    parser.add_argument("--start", type=Path, nargs="?", help="the model whose weights it starts from")
    parser.add_argument("--folder", type=Path, nargs="?", help="a FLUX.2 in the format of diffusers, to start from")
    parser.add_argument(
        "--perceptual", type=Path, nargs="?", help="network of the perceptual loss; none: the published one"
    )
    parser.add_argument("--state", type=Path, required=True, help="folder of what an interrupted run resumes from")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--curve", type=Path, required=True)
    parser.add_argument("--summary", type=Path, required=True)
    return parser.parse_args()


def _check_grids(reader: ShardReader, encoded: EncodedReader, patch_size: int, where: Path) -> None:
    """Raises ValueError unless the latent tokens of all images lie as their patches do."""
    for numbers, (height, width) in reader.buckets:
        rows, columns = height // patch_size, width // patch_size
        if (found := encoded.grids(numbers)) != {(rows, columns)}:
            raise ValueError(
                f"{where} has images {numbers.start} to {numbers.stop - 1} in grids {sorted(found)} of latent tokens, but with"
                f" {height} x {width} pixels they have {rows} x {columns} patches of {patch_size}: the grids do not match; run"
                " stage encode with this patch size"
            )


def _model(arm: TextArm, encoded: EncodedReader, arguments: argparse.Namespace, here: machine.Machine) -> VelocityModel:
    """The untrained model: arms with the same start and seed begin alike."""
    torch.manual_seed(arguments.seed)
    lifted = text_checkpoint.load_lift(arguments.lift, arm)
    if encoded.token != lifted.A.shape[1]:
        raise ValueError(
            f"{arguments.encoded} has latent tokens of {encoded.token} numbers, but {arguments.lift} was fitted to tokens of"
            f" {lifted.A.shape[1]}; fit it again"
        )
    start = text_checkpoint.load_weights(arguments.start) if arguments.start else None
    model = assemble(arm, lifted, text=encoded.text, folder=arguments.folder, start=start, precision=here.precision)
    return model.to(here.device).train()


def _objective(arm: TextArm, model: VelocityModel, arguments: argparse.Namespace, here: machine.Machine) -> Finetuning:
    distance = perceptual.load(arguments.perceptual, "vgg", here.device) if arm.loss.perceptual else None
    return Finetuning(model, arm.loss, arm.training.sigma_min, arm.patch_size, arm.colour, distance).to(here.device)


def _identity(arm: TextArm, arguments: argparse.Namespace, here: machine.Machine) -> dict[str, str]:
    files = {"data": arguments.data, "encoded": arguments.encoded, "lift": arguments.lift, "start": arguments.start}
    files |= {"perceptual": arguments.perceptual}
    return {
        "configuration": arm.model_dump_json(),
        "seed": str(arguments.seed),
        "code": provenance.digest("asymflow.stages.train_text"),
        "precision": str(here.precision),
        "folder": str(arguments.folder),
    } | {name: sha256(path) if path else "" for name, path in files.items()}


def _write(
    arguments: argparse.Namespace,
    arm: TextArm,
    reader: ShardReader,
    encoded: EncodedReader,
    model: VelocityModel,
    average: PowerAverage,
    result: Result,
    here: machine.Machine,
) -> None:
    """The model, its curve and summary; the resumable state goes last, when nothing needs it any more."""
    told = {
        "kind": "text model",
        "arm": arm.model_dump(mode="json"),
        "image_size": reader.image_size,
        "text": encoded.text,
        "seed": arguments.seed,
        "images": result.images,
        "code": provenance.digest("asymflow.stages.train_text"),
    }
    text_checkpoint.save(arguments.model, average, text_checkpoint.load_lift(arguments.lift, arm), told)
    summary = {
        "images": result.images,
        "seconds": round(result.seconds, 2),
        "images_per_second": round(result.images / result.seconds, 2) if result.seconds else None,
        "parameters": sum(parameter.numel() for parameter in model.network.parameters()),
        "trained_parameters": sum(parameter.numel() for parameter in trained(model).values()),
        "gflops_per_image": round(gflops(model.network, *_one_image(arm, reader, encoded)), 4),
        "peak_memory_mib": machine.peak_memory(here.device) >> 20,
        "machine": str(here),
        **provenance.record("asymflow.stages.train_text"),
    }
    with atomic(arguments.curve) as temporary:
        shutil.copy(arguments.state / "curve.jsonl", temporary)
    with atomic(arguments.summary) as temporary:
        temporary.write_text(json.dumps(summary, indent=1))
    shutil.rmtree(arguments.state)


def _one_image(arm: TextArm, reader: ShardReader, encoded: EncodedReader) -> tuple[torch.Tensor, ...]:
    """What the network takes for one square image; only the shapes matter."""
    side = reader.image_size // arm.patch_size
    token = encoded.token if arm.space == "latent" else 3 * arm.patch_size**2
    text = torch.zeros(1, *encoded.empty.shape)
    return torch.zeros(1, side**2, token), torch.zeros(1), text, grid_positions(side, side)


if __name__ == "__main__":
    main()
