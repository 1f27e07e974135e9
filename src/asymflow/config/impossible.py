"""What the parts of an arm cannot be together, each in one sentence that says why and what to write instead."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from asymflow.config.autoencoder import DOWN

if TYPE_CHECKING:
    from asymflow.config.arm import Arm


def mistakes(arm: "Arm") -> Iterator[str]:
    """Each contradiction as a sentence that begins with the key to change."""
    yield from _of_network(arm)
    yield from _of_target(arm)
    yield from _of_start(arm)
    yield from _of_losses(arm)


def _of_network(arm: "Arm") -> Iterator[str]:
    kind, modalities = arm.network.kind, arm.conditions.modalities
    if kind == "flux" and modalities != ("caption",):
        yield (
            f"conditions.shown shows {_listed(modalities)}, but the network flux reads captions and nothing else: show caption"
            " alone"
        )
    if kind == "nanodit" and arm.representation.space == "latent":
        yield "network.kind is nanodit, which ends in a convolution over pixels: set representation.space to pixel"
    if arm.training.flip and (modalities not in ((), ("class",)) or arm.needs_latents or arm.needs_embedded_images):
        yield (
            "training.flip mirrors the pixels, but captions know left from right and stored tokens are not mirrored with"
            " them: set it to false"
        )


def _of_target(arm: "Arm") -> Iterator[str]:
    target, latent = arm.target, arm.representation.space == "latent"
    if target.kind != "asymmetric":
        yield from _of_rival(arm)
        return
    if target.basis == "lift" and latent:
        yield "target.basis is lift, which leads from latents to pixels: set representation.space to pixel"
    if latent and target.rank not in (0, "full"):
        yield f"target.rank is {target.rank}, but bases are fitted to pixel patches: a latent arm has rank 0 or full"
    if not latent and target.rank != "full" and target.rank > arm.representation.dimension:
        p = arm.representation.patch_size
        yield (
            f"target.rank is {target.rank}; expected at most the patch dimension, {p} x {p} x 3 ="
            f" {arm.representation.dimension}, or full"
        )


def _of_rival(arm: "Arm") -> Iterator[str]:
    """Of targets that know of pixel patches, and of nothing else."""
    target, kind = arm.target, arm.target.kind
    if arm.representation.space == "latent" or arm.network.kind == "flux":
        yield f"target.kind is {kind}, which is of pixel patches in a network that begins with none: take kind asymmetric"
    dimension = arm.representation.dimension
    if kind == "opening" and target.rank > dimension:
        yield f"target.rank is {target.rank}; expected at most the numbers of a patch, {dimension}"
    if kind == "isotropic" and target.learnt and arm.training.shard:
        yield "target.learnt adds a single number to the network, which can't be sharded: set training.shard to false"


def _of_start(arm: "Arm") -> Iterator[str]:
    start, representation = arm.start, arm.representation
    flux = arm.network.kind == "flux"
    for name, given in (("start.adapter", start.adapter), ("start.head", start.head)):
        if given and not flux:
            yield f"{name} names layers of a FLUX.2, but the network is {arm.network.kind}: leave it out"
    if arm.lifted and not flux:
        yield f"target.basis is lift, but only the network flux begins as a latent model, not {arm.network.kind}"
    if arm.lifted and representation.patch_size % DOWN:
        yield (
            f"representation.patch_size is {representation.patch_size}; a lifted patch spans a multiple of the {DOWN} pixels"
            " of a latent position"
        )
    if start.head and (representation.space == "latent" or not _full(arm) or arm.target.basis == "lift"):
        yield (
            "start.head predicts the full velocity of pixels: set representation.space to pixel, target.rank to full and"
            " target.basis to identity"
        )
    yield from _of_released(arm)
    if start.pca and (representation.space == "latent" or arm.lifted or start.run):
        yield (
            f"start.pca is {start.pca}, but the patch embedding begins as that of another model, or has latents: set it to 0"
        )
    most = min(arm.network.first_channels, representation.dimension)
    if start.pca > most:
        yield (
            f"start.pca is {start.pca}; expected at most {most}, the smaller of the patch embedding's first channels"
            f" ({arm.network.first_channels}) and the numbers of a patch ({representation.dimension})"
        )


def _of_released(arm: "Arm") -> Iterator[str]:
    released = arm.start.released
    if not released:
        return
    kind = {"asymjit": "jit", "jit": "jit", "asymflux2": "flux", "nanodit": "nanodit"}[released.layout]
    if arm.network.kind != kind:
        yield f"start.released.layout is {released.layout}, which is of the network {kind}, not {arm.network.kind}"
    if arm.start.run or arm.start.pca or arm.start.head:
        yield "start.released is the whole beginning: leave out start.run, start.pca and start.head"
    if arm.target.kind != "asymmetric":
        yield f"target.kind is {arm.target.kind}, but released weights predict the paper's target: take kind asymmetric"
    elif released.layout in ("jit", "nanodit") and arm.target.rank != 0:
        yield f"target.rank is {arm.target.rank}, but {released.layout} predicts the data: set it to 0"
    if (released.layout == "nanodit") != (arm.representation.colour == "unit_rgb"):
        yield "representation.colour is unit_rgb where start.released.layout is nanodit, and nowhere else with released weights"
    if released.layout == "asymflux2" and not (arm.target.basis == "lift" and arm.start.adapter):
        yield "start.released.layout is asymflux2: set target.basis to lift and give start.adapter its rank and alpha"
    if arm.training.snapshots:
        yield f"training.snapshots is {arm.training.snapshots}, but released weights have none: set it to 0"


def _of_losses(arm: "Arm") -> Iterator[str]:
    losses, blocks = arm.losses, arm.network.blocks
    for name in ("alignment", "masked_alignment", "spatial_alignment"):
        if (given := getattr(losses, name)) and given.block > blocks:
            yield (
                f"losses.{name}.block is {given.block}; expected at most the network's blocks, {blocks} of"
                f" {arm.network.kind} here"
            )
    yield from _of_auxiliary_losses(arm)
    frequency, representation = losses.frequency, arm.representation
    if frequency and (
        representation.space == "latent" or representation.colour != "rgb" or representation.patch_size % 8
    ):
        yield (
            "losses.frequency transforms blocks of 8 x 8 RGB pixels: set representation.space to pixel, colour to rgb and"
            " patch_size to a multiple of 8"
        )
    reduction = losses.variance_reduction
    if reduction and not (arm.target.basis == "lift" and arm.start.adapter):
        yield (
            "losses.variance_reduction compares with the frozen lifted model: it needs target.basis lift and start.adapter,"
            " or leave it out"
        )


def _full(arm: "Arm") -> bool:
    return arm.target.kind == "asymmetric" and arm.target.rank == "full"


def _of_auxiliary_losses(arm: "Arm") -> Iterator[str]:
    losses = arm.losses
    if losses.masked_alignment and not (arm.network.kind == "jit" and "class" in arm.conditions.modalities):
        yield (
            "losses.masked_alignment is an adapter of a JiT's blocks that knows the class: set network.kind to jit and show the"
            " class in conditions.shown"
        )
    if losses.spatial_alignment and arm.network.bypass:
        yield "losses.spatial_alignment convolves over the whole grid, which TREAD thins out: set network.tread to 0"
    for name, given in (("perceptual", losses.perceptual), ("semantic", losses.semantic)):
        if given and arm.representation.space == "latent":
            yield f"losses.{name} looks at the pixels that are predicted: set representation.space to pixel"
    if losses.perceptual and losses.variance_reduction and losses.variance_reduction.perceptual:
        yield "losses.perceptual and losses.variance_reduction.perceptual are the same distance: leave one of them out"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "nothing"
