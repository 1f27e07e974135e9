"""Configuration of training."""

import re
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from asymflow.config.section import Section

AVERAGE = re.compile(r"ema_[1-9]\d*|power_\d+(\.\d+)?|stale|last")  # what a set of weights may be called


class Training(Section):
    """How an arm is trained. Durations count images, so that they mean the same at every batch size."""

    images: NonNegativeInt = 64_000
    """Images seen in all, repetitions included; 0 keeps a network as it begins."""

    set_images: PositiveInt | None = None
    """Training images that are used, the first of the split; null uses all."""

    window: PositiveInt | None = None
    """Shards whose images are mixed at a time, the shards in random order; null mixes all images of an epoch. For sets that do
    not fit into memory and lie where a random read is slow."""

    batch: PositiveInt = 64
    """Images per update, over all processes together."""

    micro_batch: PositiveInt | None = None
    """Images per forward pass and process; null takes a process's whole share of the batch at once."""

    flip: bool = False
    """Whether half of the images are mirrored. Off for portraits: their captions know left from right."""

    time_mean: float = Field(0.8, ge=-10, le=10)
    """Mean of the logit of the noise level. JiT's -0.8 in clean time is +0.8 here; the paper's text-to-image models have 0."""

    time_std: float = Field(0.8, gt=0, le=10)
    """Standard deviation of the logit of the noise level; the paper's text-to-image models have 1."""

    shift: float = Field(1.0, gt=0, le=1000)
    """Shift of noise levels towards noise, in training and in sampling; 1 is none. The paper's text-to-image models have 17 for
    pixels and 7 for latents at 1024 x 1024."""

    optimiser: Literal["adamw", "adamw_8bit", "muon"] = "adamw"
    """AdamW; AdamW with 8-bit states on a GPU where bitsandbytes is installed; or Muon for the matrices of the network and AdamW
    for the rest, both at the same learning rate."""

    muon_embedding: bool = False
    """Whether Muon updates the patch embedding too. In prx-tg's public code it does not: the embedding is a convolution there."""

    lr: float = Field(1e-3, gt=0, le=10)
    """Learning rate after warm-up."""

    multiples: dict[str, PositiveFloat] = Field(default_factory=dict)
    """Learning rates of single layers by name, as multiples of lr. AsymFLUX.2: {proj_out: 10}."""

    warmup_images: NonNegativeInt = 6_400
    """Images over which the learning rate rises linearly from zero."""

    decay: float = Field(0.0, ge=0, le=1)
    """Share of the training, at its end, over which the learning rate falls linearly to zero; 0 keeps it, as the paper does."""

    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.95)
    """AdamW's decay rates of the gradient and of its square."""

    weight_decay: float = Field(0.0, ge=0, le=10)
    """Decoupled weight decay of all parameters."""

    gradient_clip: PositiveFloat | None = None
    """Maximum norm of an update's whole gradient; larger gradients are scaled down to it. Null clips nothing."""

    averages: tuple[str, ...] = Field(("ema_2000", "ema_8000"), min_length=1)
    """Sets of weights that a run keeps, by name; the first is what is sampled unless a sampling setting names another.

    ema_<images>: an average that forgets by 1/e over so many images. power_<gamma>: one that remembers the same share of the
    training so far, however long (Karras et al.; the paper's text-to-image models have 7); from two of them, such as power_16.97
    and power_6.94, and the snapshots one of any other length can be put together afterwards. stale: prx-tg's, whose decay of
    0.9999 after 500 updates remembers these longest. last: the weights of the last update.
    """

    snapshots: NonNegativeInt = 0
    """Equal parts of the training, at the end of each of which the weights are kept and can be sampled; 0 keeps none."""

    checkpoint_images: PositiveInt = 16_000
    """Images between two checkpoints from which an interrupted run resumes."""

    log_images: PositiveInt = 1_280
    """Images between two points of the training curve."""

    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    """Precision inside the network; auto takes bfloat16 where the processor or GPU has instructions for it."""

    compile: Literal["auto", "on", "off"] = "auto"
    """Whether the network is compiled; auto does it where a compiler is found."""

    activation_checkpointing: bool = False
    """Recomputes each block in the backward pass: a third more work for much less memory. For the large networks."""

    shard: bool = False
    """Whether several processes share weights, gradients, optimiser and averages among them (FSDP2) instead of each having all,
    for networks that do not fit one device. A single process has all of them anyway."""

    @model_validator(mode="after")
    def _fits(self) -> "Training":
        if self.images and self.batch > self.images:
            raise ValueError(f"one batch ({self.batch} images) exceeds the whole training ({self.images} images)")
        if self.images and self.warmup_images + self.decay * self.images > self.images:
            raise ValueError(
                f"warm-up ({self.warmup_images} images) and decay ({self.decay:g} of {self.images} images) together exceed"
                " the training"
            )
        if self.snapshots * self.batch > self.images:
            raise ValueError(f"{self.snapshots} snapshots do not fit into {self.images // self.batch} updates")
        return self

    @model_validator(mode="after")
    def _averages_are_known(self) -> "Training":
        for name in self.averages:
            if not AVERAGE.fullmatch(name):
                raise ValueError(
                    f"averages lists {name!r}; expected ema_<images> such as ema_2000, power_<gamma> such as power_7, stale, last"
                )
        if len(set(self.averages)) < len(self.averages):
            raise ValueError(f"averages lists a name twice: {', '.join(self.averages)}")
        return self

    @model_validator(mode="after")
    def _optimiser_has_what_it_needs(self) -> "Training":
        if self.shard and self.optimiser != "adamw":
            raise ValueError(
                f"shard leaves each process a part of every matrix, but {self.optimiser} needs it whole: take adamw"
            )
        if self.optimiser == "muon" and self.multiples:
            raise ValueError("multiples are for AdamW; Muon moves all matrices at the same rate: leave multiples out")
        return self
