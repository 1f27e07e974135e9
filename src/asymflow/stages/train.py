"""Trains one arm with one seed.

python -m asymflow.stages.train --arm JSON --seed 0 --data results/data/train.json
    --subspace results/subspace/pca_rgb_p16.safetensors --pca results/subspace/pca_rgb_p16.safetensors
    --state DIR --model OUT.safetensors --snapshots DIR --curve OUT.jsonl --summary OUT.json
"""

import argparse
import shutil
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from asymflow import documents, lineage, machine, parts, tensors
from asymflow.command import run
from asymflow.config.arm import Arm
from asymflow.data.batches import Batch, Batches
from asymflow.data.reader import ShardReader
from asymflow.data.rows import RowReader, RowSource
from asymflow.data.tokens import grid_of
from asymflow.files import checksum, folder, kept, locked, remove, tidy, writing
from asymflow.models.assemble import Beginning, Lift, assemble, trained
from asymflow.models.condition import Shapes, example
from asymflow.models.cost import gflops
from asymflow.models.velocity import VelocityModel
from asymflow.processes import together, torchrun, wait_for_all
from asymflow.subspace import file as subspace_file
from asymflow.subspace.patches import CHANNEL_LAST
from asymflow.training import averages, checkpoint, curve, objective, preview
from asymflow.training.averages import Average
from asymflow.training.example import Example, draw
from asymflow.training.loop import Result, train
from asymflow.training.preview import Preview
from asymflow.training.sharding import shard
from asymflow.training.stopping import InterruptedTraining, requeue

# what an arm may need beside its data; each is a file or folder on the command line, and part of the run's identity
INPUTS = {
    "subspace": "basis of the prediction target",
    "pca": "basis that the patch embedding begins as",
    "lift": "how latent tokens lie in patches",
    "captions": "index of the captions, as tokens or to be encoded",
    "images": "index of the images as embeddings and patch tokens",
    "latents": "index of the images as latent tokens",
    "start": "the model whose weights it begins with",
    "folder": "a FLUX.2 in the format of diffusers, to begin with",
    "evaluator": "the local evaluator, where features are aligned with it",
    "perceptual": "network of a perceptual distance; none: the published one",
}


def main() -> None:
    arguments = _arguments()
    rank, _, _ = torchrun()
    arm = Arm.model_validate_json(arguments.arm)
    hardware = machine.choose(arm.training.precision, arm.training.compile)
    with (
        locked(arguments.state) if rank == 0 else nullcontext(),
        together("nccl" if hardware.device.type == "cuda" else "gloo"),
    ):
        try:
            _train(arguments, arm, hardware)
        except InterruptedTraining as interrupted:
            if interrupted.out_of_time and rank == 0:
                requeue()
            raise


def _train(arguments: argparse.Namespace, arm: Arm, hardware: machine.Machine) -> None:
    rank, world_size, _ = torchrun()
    reader = ShardReader(arguments.data)
    stored = {name: RowReader(path) for name in ("images", "latents") if (path := getattr(arguments, name))}
    if arguments.captions:
        stored["captions"] = parts.load(parts.CAPTIONS).opened(arguments.captions, hardware.device)
    for rows in stored.values():
        lineage.check(rows.path, rows.description["data"], reader.path, reader.set)
    for path, kind in ((arguments.evaluator, "evaluator"), (arguments.perceptual, "perceptual network")):
        if path:
            lineage.check_file(path, kind, reader.path, reader.set)
    grid = _grid(arm, reader, stored, arguments)
    wait_for_all()  # behind the lock, which the first process waits for
    identity = _identity(arm, arguments, hardware)
    if _is_finished(arguments, identity):
        print("this training is finished already, and all that it made is whole; nothing is left to do", flush=True)
        if rank == 0:
            tidy(arguments.model, arguments.snapshots, arguments.curve, arguments.summary)
            remove(arguments.state)
        return
    labelled = "class" in arm.conditions.modalities
    kept = {name: rows for name, rows in stored.items() if isinstance(rows, RowReader)}
    captions = stored.get("captions")
    encoder = None if "captions" in kept else captions
    batches = Batches(
        reader, images=arm.training.images, batch=arm.training.batch, seed=arguments.seed, rank=rank, world_size=world_size,
        labelled=labelled, whole=arm.network.any_grid, first=arm.training.set_images, stored=kept,
        window=arm.training.window, numbered=encoder is not None,
    )  # fmt: skip
    print(f"training on {hardware}, {world_size} process(es), {batches.count} images", flush=True)

    shapes, lift = _shapes(arm, reader, stored), _lift(arm, arguments.lift, stored, reader)
    model = assemble(
        arm, shapes, grid, _beginning(arm, lift, arguments, reader), seed=arguments.seed, precision=hardware.precision
    )
    model = model.to(hardware.device).train()
    needs = objective.Needs(
        arguments.seed, hardware.device, arguments.evaluator, arguments.perceptual, _patch_channels(stored)
    )
    minimised = objective.build(arm, model, needs)
    one = torch.zeros(1, grid[0] * grid[1], model.A.shape[0]), torch.zeros(1), example(shapes, grid)
    operations = gflops(model.network, *one)
    if arm.training.shard and world_size > 1:
        shard(minimised, model.network)
    optimiser, what = parts.load(parts.optimiser(arm)).build(minimised, arm.training, hardware.device)
    print(what, flush=True)
    averaged = averages.build(arm.training.averages, trained(model.network))
    caption_reader = captions.description["reader"] if captions else None
    began = tensors.describe(arguments.start, "model")["checksum"] if arguments.start else None
    run = Run(arguments, arm, reader, shapes, lift, model, averaged, caption_reader, began, operations)
    empty = captions.shared["empty"].to(hardware.device) if captions else None
    shown = _preview(arguments, arm, model, batches, hardware, empty=empty, encoder=encoder, lift=lift)
    result = train(
        minimised, batches, arm.training, hardware, draw=partial(_drawn, arm=arm, empty=empty, encoder=encoder),
        optimiser=optimiser, averages=averaged, seed=arguments.seed, state=arguments.state, identity=identity,
        snapshot=run.snapshot, preview=shown, say=lambda text: print(text, flush=True),
    )  # fmt: skip
    run.write(result, batches.count, hardware, identity)


def _drawn(batch: Batch, progress: float, *, arm: Arm, empty: Tensor | None, encoder: RowSource | None) -> Example:
    """The example of a batch, its captions encoded first where their tokens are not kept."""
    told = encoder.read(batch["numbers"].tolist()) if encoder else {}
    rank, world_size, _ = torchrun()
    return draw(batch | told, progress, arm=arm, empty=empty, rank=rank, world_size=world_size)


def _preview(
    arguments: argparse.Namespace,
    arm: Arm,
    model: VelocityModel,
    batches: Batches,
    hardware: machine.Machine,
    *,
    empty: Tensor | None,
    encoder: RowSource | None,
    lift: Lift | None,
) -> Preview | None:
    """What the first process draws on the way, under the conditions of the first images that it sees; None: nothing."""
    rank, world_size, _ = torchrun()
    if rank or not (arguments.previews and len(batches)):
        return None
    if arm.training.shard and world_size > 1:
        print("no grids of samples on the way: no process has all weights of a sharded network", flush=True)
        return None
    count = min(preview.COUNT, arm.training.micro_batch or preview.COUNT)  # so it needs less memory than an update
    batch = {name: values[:count].to(hardware.device) for name, values in batches[0].items()}
    told = encoder.read(batch["numbers"].tolist()) if encoder else {}
    return preview.build(arguments.previews, model, arm, batch | told, empty=empty, lift=lift)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arm", required=True, help="the arm's configuration as JSON")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="index of the training split")
    for name, what in INPUTS.items():
        parser.add_argument(f"--{name}", type=Path, nargs="?", help=what)
    parser.add_argument("--previews", type=int, default=0, help="grids of samples that TensorBoard is shown on the way")
    parser.add_argument("--state", type=kept, required=True, help="folder of what an interrupted run resumes from")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--snapshots", type=Path, required=True, help="folder of the snapshots, which may be none")
    parser.add_argument("--curve", type=Path, required=True)
    parser.add_argument("--summary", type=Path, required=True)
    return parser.parse_args()


def _grid(
    arm: Arm, reader: ShardReader, stored: dict[str, RowSource], arguments: argparse.Namespace
) -> tuple[int, int]:
    """Rows and columns of the tokens of a square image. Raises ValueError unless those of all stored tokens lie as these do."""
    p = arm.representation.patch_size
    grid = grid_of(reader.image_size, reader.image_size, p)
    for numbers, (height, width) in reader.buckets if "latents" in stored else ():
        expected = grid_of(height, width, p)
        if (grids := stored["latents"].grids(numbers)) != {expected}:
            raise ValueError(
                f"{arguments.latents} has images {numbers.start} to {numbers.stop - 1} in grids {sorted(grids)} of latent tokens,"
                f" but with {height} x {width} pixels they have {expected[0]} x {expected[1]} patches of {p}: the grids do not"
                " match; run stage encode_latents with this patch size"
            )
    alignment = arm.losses.alignment
    if (
        alignment
        and alignment.teacher == "embedded"
        and (tokens := stored["images"].shapes["patches"][0]) != grid[0] * grid[1]
    ):
        raise ValueError(
            f"alignment compares each of the {grid[0] * grid[1]} patches of an image with a token of its own, but"
            f" {arguments.images} has {tokens} of them an image: take images whose patches match those of embeddings.image"
        )
    return grid


def _shapes(arm: Arm, reader: ShardReader, stored: dict[str, RowSource]) -> Shapes:
    """How large each part of the arm's condition is."""
    modalities, none = arm.conditions.modalities, Shapes()
    captions, images = (stored[name].shapes if name in stored else {} for name in ("captions", "images"))
    return Shapes(
        classes=len(reader.classes) if "class" in modalities else none.classes,
        caption=captions["text"] if "caption" in modalities else none.caption,
        embedding=images["embedding"][0] if "embedding" in modalities else none.embedding,
        patches=images["patches"] if "patches" in modalities else none.patches,
        joints=arm.conditions.joints if "joints" in modalities else none.joints,
    )


def _patch_channels(stored: dict[str, RowSource]) -> int:
    return stored["images"].shapes["patches"][1] if "images" in stored else 0


def _lift(arm: Arm, path: Path | None, stored: dict[str, RowSource], reader: ShardReader) -> Lift | None:
    """How latent tokens lie in patches, checked against the arm's patches and the latents that it sees.

    Raises ValueError when the file is not a lift, or one of other patches, another order, colour space, latents or
    images.
    """
    if path is None:
        return None
    agreed = {"patch_size": arm.representation.patch_size, "colour": arm.representation.colour}
    loaded = subspace_file.load(path, order=arm.network.order, **agreed)
    lineage.check(path, loaded.data, reader.path, reader.set)
    if loaded.name != "procrustes":
        raise ValueError(
            f"{path} holds a {loaded.name} basis, not the lift of a latent space; stage fit_lift writes one"
        )
    lift = Lift(loaded.columns(loaded.basis.shape[1]), loaded.scale)
    if "latents" in stored and (token := stored["latents"].shapes["latents"][1]) != lift.A.shape[1]:
        raise ValueError(
            f"{stored['latents'].path} has latent tokens of {token} numbers, but {path} was fitted to tokens of"
            f" {lift.A.shape[1]}; fit it again"
        )
    return lift


def _beginning(arm: Arm, lift: Lift | None, arguments: argparse.Namespace, reader: ShardReader) -> Beginning:
    """What the network begins with, and the subspace of its target."""

    def basis(path: Path) -> subspace_file.Subspace:
        agreed = {"patch_size": arm.representation.patch_size, "colour": arm.representation.colour}
        fitted = subspace_file.load(path, order=CHANNEL_LAST, **agreed)
        lineage.check(path, fitted.data, reader.path, reader.set)
        return fitted.in_order(arm.network.order)

    subspace = None
    if arguments.subspace:
        subspace = parts.load(parts.target(arm)).subspace(arm, basis(arguments.subspace))
    return Beginning(
        subspace=subspace,
        lift=lift,
        pca=basis(arguments.pca).columns(arm.start.pca) if arguments.pca else None,
        weights=checkpoint.load_model(arguments.start).weights if arguments.start else None,
        folder=arguments.folder,
    )


def _identity(arm: Arm, arguments: argparse.Namespace, hardware: machine.Machine) -> dict[str, str]:
    """What a checkpoint must agree with to be resumed from."""
    given = {name: getattr(arguments, name) for name in ("data", *INPUTS)}
    return {
        "configuration": arm.model_dump_json(exclude_none=True),
        "seed": str(arguments.seed),
        "code": parts.of_training(arm).digest(),
        "precision": str(hardware.precision),
    } | {name: checksum(path) if path and path.is_file() else str(path) for name, path in given.items()}


def _is_finished(paths: argparse.Namespace, identity: dict[str, str]) -> bool:
    """Whether all that this training would write is there already, whole."""
    try:
        summary = documents.read(paths.summary, "training")
        model = tensors.describe(paths.model, "model")["checksum"]
        snapshots = {
            number: tensors.describe(checkpoint.snapshot_path(paths.snapshots, int(number)), "model")["checksum"]
            for number in summary["snapshots"]
        }
        if summary["identity"] != identity:
            return False
        for path in (paths.model, *(checkpoint.snapshot_path(paths.snapshots, int(number)) for number in snapshots)):
            tensors.load(path, "model")
        found = summary["identity"], summary["model"], summary["snapshots"], summary["curve"]
        return found == (identity, model, snapshots, checksum(paths.curve))
    except (OSError, ValueError):
        return False


@dataclass(frozen=True)
class Run:
    """What a training writes, and where."""

    arguments: argparse.Namespace
    arm: Arm
    reader: ShardReader
    shapes: Shapes
    lift: Lift | None
    model: VelocityModel
    averages: list[Average]
    caption_reader: dict | None  # what read its captions
    began: str | None  # checksum of the model whose weights it began with
    operations: float  # billions for an image

    def snapshot(self, number: int, images: int) -> str:
        """Keeps the weights after so many images; gives their checksum, to the first process."""
        return self._save(checkpoint.snapshot_path(self.arguments.state / "snapshots", number), images)

    def write(
        self,
        result: Result,
        set_images: int,
        hardware: machine.Machine,
        identity: dict[str, str],
    ) -> None:
        """The model, its snapshots, curve and summary, which the first process writes; the resumable state goes last, when
        nothing needs it any more."""
        paths, network = self.arguments, self.model.network
        model = self._save(paths.model, result.images)
        if not model:
            return
        seconds = curve.seconds(result.points)
        with folder(paths.snapshots) as made:
            for number in map(int, result.snapshots):
                shutil.copyfile(
                    checkpoint.snapshot_path(paths.state / "snapshots", number), checkpoint.snapshot_path(made, number)
                )
        with writing(paths.curve) as file:
            file.write(curve.text(result.points).encode())
        summary = {
            "arm": self.arm.model_dump(mode="json", exclude_none=True),
            "seed": paths.seed,
            "images": result.images,
            "set_images": set_images,
            "seconds": round(seconds, 2),
            "images_per_second": round(result.images / seconds, 2) if seconds else None,
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "trained_parameters": sum(parameter.numel() for parameter in trained(network).values()),
            "gflops_per_image": round(self.operations, 4),
            "peak_memory_mib": machine.peak_memory(hardware.device) >> 20,
            "machine": str(hardware),
            "identity": identity,
            "data": self.reader.set,
            "model": model,
            "curve": checksum(paths.curve),
            "snapshots": result.snapshots,
            **parts.of_training(self.arm).record(),
        }
        documents.write(paths.summary, "training", summary)
        remove(paths.state)

    def _save(self, path: Path, images: int) -> str:
        description = {
            "arm": self.arm.model_dump(mode="json", exclude_none=True),
            "shapes": asdict(self.shapes),
            "classes": self.reader.classes if self.shapes.classes else [],
            "reader": self.caption_reader,
            "image_size": self.reader.image_size,
            "data": self.reader.set,
            "began": self.began,
            "seed": self.arguments.seed,
            "images": images,
            "code": parts.of_training(self.arm).digest(),
        }
        return checkpoint.save_model(path, self.averages, self.model.A, self.lift, description)


if __name__ == "__main__":
    run(main)
