"""The training loop."""

import math
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from asymflow.config.training import Training
from asymflow.data.batches import Batches
from asymflow.machine import Machine
from asymflow.models.velocity import VelocityModel
from asymflow.progress import Progress
from asymflow.training import checkpoint
from asymflow.training.curve import Curve
from asymflow.training.ema import Averages
from asymflow.training.schedule import learning_rate
from asymflow.training.step import Example, draw, loss, seed_step


class Interrupted(SystemExit):
    """Training stopped on a signal, after saving its state; running it again continues."""


@dataclass(frozen=True)
class Result:
    """What a finished training hands on."""

    averages: Averages
    images: int
    seconds: float  # spent in updates, over all resumptions of which the curve knows


def train(
    model: VelocityModel,
    batches: Batches,
    training: Training,
    machine: Machine,
    *,
    patch_size: int,
    null_label: int,
    seed: int,
    state: Path,
    identity: dict[str, str],
    say: Callable[[str], None],
) -> Result:
    """Trains `model` in place and returns its averages.

    `state` is the folder of everything that an interrupted run resumes from. Raises FloatingPointError when the loss
    stops being finite, naming the update; the last good checkpoint stays.
    """
    # Prepare. Optimiser and averages see the plain network; compilation and data parallelism wrap the whole model.
    rank, world_size = (
        (distributed.get_rank(), distributed.get_world_size()) if distributed.is_initialized() else (0, 1)
    )
    network, parameters = model.network, dict(model.network.named_parameters())
    optimiser = torch.optim.AdamW(
        parameters.values(), lr=training.lr, betas=training.betas, weight_decay=training.weight_decay, fused=True
    )
    averages = Averages(parameters, training.ema_images)
    state.mkdir(parents=True, exist_ok=True)

    # Resume.
    images, why = checkpoint.restore(state / "checkpoint.safetensors", network, averages, optimiser, identity)
    say(f"resuming after {images} images" if images else f"starting from the beginning: {why}")
    curve = Curve(state / "curve.jsonl", state.parent / "tensorboard", images) if rank == 0 else None

    wrapped: nn.Module = torch.compile(model) if machine.compiled else model
    if world_size > 1:
        wrapped = DistributedDataParallel(
            wrapped, device_ids=[machine.device] if machine.device.type == "cuda" else None
        )
    stop = _listen_for_signals()
    losses, norms, since, marked = [], [], time.perf_counter(), images
    total = len(batches) * training.batch  # a last incomplete batch is not trained
    supply = batches.starting_at(images // training.batch, workers=max(1, (os.cpu_count() or 2) // world_size - 1))

    with Progress("train", total, "images", done=images) as progress:
        for pixels, labels in supply:
            # Draw. The generators are seeded from the position, never from what happened before.
            seed_step(seed, images, rank)
            pixels, labels = (x.to(machine.device, non_blocking=True) for x in (pixels, labels))
            example = draw(pixels, labels, patch_size, null_label, training)

            # Loss and gradient, in parts where the memory asks for it.
            parts = _parts(example, training.micro_batch or len(pixels))
            losses.append(sum(_backward(wrapped, part, training, len(part.t) / len(pixels)) for part in parts))

            # Update.
            images += training.batch
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(
                    images,
                    peak=training.lr,
                    warmup=training.warmup_images,
                    decay=training.decay_images,
                    total=total,
                )
            norms.append(nn.utils.get_total_norm([p.grad for p in parameters.values()]))
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            averages.update(training.batch)

            # Report. Losses are read here and not at every update, which would make a GPU wait.
            last = images >= total or stop.requested
            saves = last or images % training.checkpoint_images < training.batch
            if saves or images % training.log_images < training.batch:
                mean_loss = _finite_mean(losses, images, training.batch)
                now = time.perf_counter()
                if curve:
                    curve.add(
                        images,
                        loss=mean_loss,
                        gradient_norm=torch.stack(norms).mean().item(),
                        lr=optimiser.param_groups[0]["lr"],
                        images_per_second=(images - marked) / (now - since),
                        seconds=now - since,
                    )
                progress.advance(images - marked, f"loss {mean_loss:.4f}")
                losses, norms, since, marked = [], [], now, images

            # Save. Only after the losses since the last checkpoint were found finite.
            if saves and rank == 0 and images < total:
                checkpoint.save(state / "checkpoint.safetensors", network, averages, optimiser, images, identity)
                since = time.perf_counter()
            if stop.requested and images < total:
                raise Interrupted(f"interrupted after {images} of {total} images; run it again to continue")

    if curve:
        curve.close()
    return Result(averages, images, curve.seconds() if curve else 0.0)


def _backward(model: nn.Module, part: Example, training: Training, weight: float) -> Tensor:
    value = loss(model, part, training) * weight
    value.backward()
    return value.detach()


def _parts(example: Example, size: int) -> list[Example]:
    pieces = (x.split(size) for x in (example.x_0, example.eps, example.t, example.labels))
    return [Example(*piece) for piece in zip(*pieces, strict=True)]


def _finite_mean(losses: list[Tensor], images: int, batch: int) -> float:
    """The mean of the last losses. Raises FloatingPointError at the first that is not finite."""
    values = torch.stack(losses).tolist()
    for index, value in enumerate(values):
        if not math.isfinite(value):
            update = images // batch - len(values) + index + 1
            raise FloatingPointError(
                f"the loss became {value} at update {update} ({update * batch} images); the last good checkpoint is kept."
                " Lower training.lr, or lengthen training.warmup_images"
            )
    return sum(values) / len(values)


class _Stop:
    requested = False


def _listen_for_signals() -> _Stop:
    """A flag that SIGTERM and SIGUSR1 raise: clusters send them some time before they take a machine away."""
    stop = _Stop()

    def request(*_: object) -> None:
        stop.requested = True

    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, request)
    return stop
