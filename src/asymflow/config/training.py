"""Configuration of training."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from asymflow.config.section import Section


class Schedule(Section):
    """How long, how fast and in what precision something is trained. Durations count images, so that they mean the same at
    every batch size."""

    images: NonNegativeInt = 64_000
    """Images seen in all, repetitions included."""

    batch: PositiveInt = 64
    """Images per update, over all processes together."""

    micro_batch: PositiveInt | None = None
    """Images per forward pass and process; None takes a process's whole share of the batch at once."""

    lr: PositiveFloat = 1e-3
    """Learning rate after warm-up."""

    warmup_images: NonNegativeInt = 6_400
    """Images over which the learning rate rises linearly from zero."""

    decay: float = Field(0.0, ge=0, le=1)
    """Share of the training, at its end, over which the learning rate falls linearly to zero; 0 keeps it, as the paper does."""

    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW's decay rates of the gradient and of its square."""

    weight_decay: NonNegativeFloat = 0.0
    """AdamW's decoupled weight decay."""

    gradient_clip: PositiveFloat | None = None
    """Most that the norm of an update's whole gradient may be; larger ones are shortened to it. None shortens nothing."""

    snapshots: NonNegativeInt = 0
    """Equal parts of the training, at the end of each of which the averaged weights are kept and can be sampled; 0 keeps none."""

    checkpoint_images: PositiveInt = 16_000
    """Images between two checkpoints from which an interrupted run resumes."""

    log_images: PositiveInt = 1_280
    """Images between two points of the training curve."""

    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    """Precision inside the network; auto takes bfloat16 where this machine multiplies it clearly faster."""

    compile: Literal["auto", "on", "off"] = "auto"
    """Whether the network is compiled; auto does it where a compiler is found."""

    activation_checkpointing: bool = False
    """Recomputes each block in the backward pass: a third more work for much less memory. For the large networks."""

    @model_validator(mode="after")
    def _fits(self):
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


class Training(Schedule):
    """How one arm is trained."""

    images: PositiveInt = 64_000
    """Images seen in all, repetitions included."""

    label_dropout: NonNegativeFloat = 0.1
    """Share of images whose class is hidden, so that guidance has an unconditional model."""

    flip: bool = False
    """Whether half of the images are mirrored. Off for portraits: their captions know left from right."""

    time_mean: float = 0.8
    """Mean of the logit of the noise level. JiT's -0.8 in clean time is +0.8 here."""

    time_std: PositiveFloat = 0.8
    """Standard deviation of the logit of the noise level."""

    sigma_min: PositiveFloat = 1e-6
    """Smallest denominator of the velocity recovery during training."""

    sigma_floor: PositiveFloat = 0.05
    """Noise level below which the loss weight t / max(t, floor) falls under 1."""

    ema_images: tuple[PositiveInt, ...] = (2_000, 8_000)
    """Horizons of the averaged weights: an average forgets by 1/e over so many images. One is kept for each."""

    @model_validator(mode="after")
    def _consistent(self):
        if self.label_dropout > 1:
            raise ValueError(f"label_dropout is a share of the images, at most 1, but it is {self.label_dropout}")
        if not self.ema_images:
            raise ValueError("ema_images is empty, but sampling reads averaged weights: name at least one horizon")
        return self
