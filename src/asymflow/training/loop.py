"""The training loop."""

import math
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import torch.distributed as distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from asymflow.config.training import Training
from asymflow.data.batches import Batch, Batches
from asymflow.machine import Machine
from asymflow.processes import any_of, mean_of_all
from asymflow.progress import Progress
from asymflow.training import checkpoint
from asymflow.training.averages import Average
from asymflow.training.curve import Curve, Point
from asymflow.training.example import Example, seed_step
from asymflow.training.objective import Objective
from asymflow.training.preview import Preview
from asymflow.training.schedule import finished_part, learning_rate
from asymflow.training.sharding import whole
from asymflow.training.stopping import InterruptedTraining, Stop, ends


@dataclass(frozen=True)
class Result:
    """What a finished training hands on."""

    images: int
    points: list[Point]  # of the curve
    snapshots: dict[str, str]  # checksums by number


def train(
    objective: Objective,
    batches: Batches,
    schedule: Training,
    machine: Machine,
    *,
    draw: Callable[[Batch, float], Example],
    optimiser: torch.optim.Optimizer,
    averages: list[Average],
    seed: int,
    state: Path,
    identity: dict[str, str],
    snapshot: Callable[[int, int], str],
    preview: Preview | None,
    say: Callable[[str], None],
) -> Result:
    """Trains the objective, and moves the averages, in place.

    `draw` makes the example of a batch at a share of the training, from the generators seeded for its step. `optimiser` has
    groups with a `multiple` of the scheduled learning rate each (`optimisers.groups`). `state` is the folder of everything that
    an interrupted run resumes from. `snapshot` is called by all processes after each of the schedule's `snapshots` equal parts,
    with its number and the images seen, and gives the checksum of what it kept. `preview` is drawn by the first process alone,
    and shown in TensorBoard. Raises FloatingPointError when loss, gradient or weights stop being finite; the last good
    checkpoint stays; and InterruptedTraining, its state saved, when a signal comes to one of the processes or the time that
    they were given is nearly over.
    """
    # Prepare.
    rank, world_size = (
        (distributed.get_rank(), distributed.get_world_size()) if distributed.is_initialized() else (0, 1)
    )
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]

    # Resume.
    done, why = checkpoint.restore(state / "checkpoint.safetensors", objective, averages, optimiser, identity)
    images, snapshots = done.images, dict(done.snapshots)
    say(f"resuming after {images} images" if images else f"starting from the beginning: {why}")
    curve = Curve(state.parent / "tensorboard", done.points, images) if rank == 0 else None

    wrapped, network = objective, objective.model.network
    if machine.compiled:  # the network alone: it is the same for all arms, so the compiler's cache serves them all
        for module in network.blocks if schedule.shard else [network]:  # between blocks their weights come and go
            module.compile()
    if world_size > 1 and not schedule.shard:
        wrapped = DistributedDataParallel(
            wrapped, device_ids=[machine.device] if machine.device.type == "cuda" else None
        )
    stop = Stop(ends()).listen()
    on_device = partial(torch.tensor, device=machine.device)
    losses = [{name: on_device(value) for name, value in terms.items()} for terms in done.losses]
    norms = [on_device(norm) for norm in done.norms]
    since, marked = time.perf_counter() - done.seconds, images - len(losses) * schedule.batch  # the curve's last point
    measures = any_of(stop.unmeasured)  # how long a save takes: the last one has to end in time
    total = len(batches) * schedule.batch  # a last incomplete batch is not trained

    # Closed, because the processes that decode for it ignore the wish to stop, and Python would wait for them at its end.
    with (
        closing(batches.starting_at(images // schedule.batch)) as supply,
        Progress("train", total, "images", done=images) as progress,
    ):
        for batch in supply:
            # Draw. The generators are seeded from the position, never from what happened before. The processes draw the same, of
            # which each keeps its share, and then part: what a network drops is each one's own.
            seed_step(seed, images)
            moved = {name: values.to(machine.device, non_blocking=True) for name, values in batch.items()}
            example = draw(moved, images / schedule.images)
            if rank:
                seed_step(seed, images, rank)

            # Loss and gradient, in parts where the memory asks for it.
            parts = example.split(schedule.micro_batch or len(example.t))
            losses.append(_add(_backward(wrapped, part, len(part.t) / len(example.t)) for part in parts))

            # Update.
            images += schedule.batch
            rate = learning_rate(
                images, peak=schedule.lr, warmup=schedule.warmup_images, decay=schedule.decay * total, total=total
            )
            for group in optimiser.param_groups:
                group["lr"] = rate * group["multiple"]
            norm = nn.utils.get_total_norm([p.grad for p in parameters])
            norms.append(whole(norm))
            if schedule.gradient_clip:
                nn.utils.clip_grads_with_norm_(parameters, schedule.gradient_clip, norm)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            for average in averages:
                average.update(schedule.batch)

            # Report. Losses are read here and not at every update, which would make a GPU wait. The wish to stop is looked at
            # once, by all processes together, and adds no point: an interrupted training has the curve of an undisturbed one.
            stopping, last = any_of(stop.wished), images >= total
            saves = last or images % schedule.checkpoint_images < schedule.batch
            keeps, measures = saves or stopping or measures, False
            if keeps or images % schedule.log_images < schedule.batch:
                losses = _of_all(losses)
                numbers = _finite(losses, norms, images, schedule.batch)
            if saves or images % schedule.log_images < schedule.batch:
                means, now = _means(losses), time.perf_counter()
                if curve:
                    curve.add(
                        images,
                        **means,
                        **objective.model.numbers(),
                        gradient_norm=torch.stack(norms).mean().item(),
                        lr=optimiser.param_groups[0]["lr"],
                        images_per_second=(images - marked) / (now - since),
                        seconds=now - since,
                    )
                progress.advance(images - max(marked, done.images), f"loss {means['loss']:.4f}")
                losses, norms, since, marked = [], [], now, images
                numbers = [], []

            # Show. It is no part of the time that updates take.
            if curve and preview and finished_part(images, schedule.batch, total, preview.parts):
                began = time.perf_counter()
                curve.show(images, preview.draw(averages[0].weights))
                since += time.perf_counter() - began

            # Save. A snapshot comes first: a run that resumes from the checkpoint does not come by here again.
            if part := finished_part(images, schedule.batch, total, schedule.snapshots):
                snapshots[str(part)] = snapshot(part, images)
            if keeps:
                seconds = time.perf_counter() - since if losses else 0.0
                points = curve.points if curve else []
                reached = checkpoint.Progress(images, points, *numbers, seconds, snapshots)
                with stop.saving():
                    checkpoint.save(state / "checkpoint.safetensors", objective, averages, optimiser, reached, identity)
                since = time.perf_counter() - seconds
            if stopping and not last:
                asked = any_of(stop.signalled)
                why = "asked to stop" if asked else "the time given is nearly over"
                say(f"{why}: saved after {images} of {total} images; run it again to continue")
                raise InterruptedTraining(out_of_time=not asked)

    if curve:
        curve.close()
    return Result(images, curve.points if curve else [], snapshots)


def _backward(objective: nn.Module, part: Example, weight: float) -> dict[str, Tensor]:
    terms = objective(part)
    loss = sum(terms.values()) * weight
    loss.backward()
    return {"loss": loss.detach()} | {name: weight * term.detach() for name, term in terms.items()}


def _add(parts: Iterable[dict[str, Tensor]]) -> dict[str, Tensor]:
    first, *others = parts
    return {name: sum((part[name] for part in others), value) for name, value in first.items()}


def _of_all(losses: list[dict[str, Tensor]]) -> list[dict[str, Tensor]]:
    """The losses as means over all processes, each of which has seen an equal share of every batch."""
    values = mean_of_all(torch.stack([torch.stack(list(terms.values())) for terms in losses]))
    return [dict(zip(terms, row, strict=True)) for terms, row in zip(losses, values, strict=True)]


def _finite(
    losses: list[dict[str, Tensor]], norms: list[Tensor], images: int, batch: int
) -> tuple[list[dict[str, float]], list[float]]:
    """The losses and gradient norms as numbers. Raises FloatingPointError at the first update where one is not finite."""
    names = list(losses[0])
    values = torch.stack([torch.stack([terms[name] for name in names]) for terms in losses]).tolist()
    lengths = torch.stack(norms).tolist()
    for index, (terms, norm) in enumerate(zip(values, lengths, strict=True)):
        for name, value in [*zip(names, terms, strict=True), ("gradient_norm", norm)]:
            if not math.isfinite(value):
                update = images // batch - len(losses) + index + 1
                raise FloatingPointError(
                    f"{name} became {value} at update {update} ({update * batch} images); what was saved before is finite. Lower"
                    " training.lr, or lengthen training.warmup_images: the changed arm begins anew"
                )
    return [dict(zip(names, terms, strict=True)) for terms in values], lengths


def _means(losses: list[dict[str, Tensor]]) -> dict[str, float]:
    """The means of the losses, term by term."""
    return {name: torch.stack([terms[name] for terms in losses]).mean().item() for name in losses[0]}
