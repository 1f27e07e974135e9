"""Configuration of the local evaluator: a small CLIP that judges samples where no published network can be had."""

from typing import Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from asymflow.config.section import Section

INCEPTION = "inception"  # asks stages for the published network in its place


class Evaluator(Section):
    """Architecture and training of the local evaluator, which learns from a split of its own."""

    image_size: PositiveInt = 64
    """Height and width of its input in pixels; other images are resized."""

    patch_size: PositiveInt = 16
    """Side of the patch that a token stands for, a power of two; 16 gives the grid of tokens that the models have."""

    stem_width: PositiveInt = 32
    """Channels after the first convolution; they double with every halving of the resolution, up to `width`."""

    width: PositiveInt = 192
    """Channels of an image token."""

    depth: PositiveInt = 2
    """Transformer blocks of the image tower, on top of the convolutions."""

    heads: PositiveInt = 3
    """Attention heads of the image tower."""

    text_width: PositiveInt = 128
    """Channels of a text token."""

    text_depth: PositiveInt = 1
    """Transformer blocks of the text tower."""

    text_heads: PositiveInt = 2
    """Attention heads of the text tower."""

    context_length: PositiveInt = 77
    """Maximum tokens of a caption, start and end included; longer ones are cut. The context is no longer than captions need."""

    embedding: PositiveInt = 128
    """Dimensions of the space that images and captions share."""

    images: PositiveInt = 24_000
    """Images seen in training, repetitions included."""

    batch: PositiveInt = 64
    """Images per update; each caption is contrasted with those of the other images in the batch."""

    lr: PositiveFloat = 1e-3
    """Highest learning rate; it rises over the first tenth of the training and falls to zero along a cosine."""

    weight_decay: NonNegativeFloat = 0.05
    """AdamW's decoupled weight decay of matrices and kernels."""

    class_weight: NonNegativeFloat = 3.0
    """Weight of the class's cross-entropy beside the contrastive loss, which alone takes long to see a texture."""

    attribute_weight: NonNegativeFloat = 6.0
    """Weight of the mean cross-entropy of the attributes, where the data has them."""

    shift: NonNegativeInt = 4
    """Augmentation: maximum shift of an image in pixels, along each axis. Nothing is mirrored: captions know left."""

    brightness: NonNegativeFloat = 0.1
    """Augmentation: maximum change of contrast and of brightness, on a range of 1."""

    noise: NonNegativeFloat = 0.01
    """Augmentation: standard deviation of added noise, on a range of 1."""

    probe_penalty: PositiveFloat = 1e-3
    """Squared-norm penalty of the linear classifiers on the finished features."""

    seed: NonNegativeInt = 0
    """Decides initial weights, order and augmentation. The evaluator of the judge `second` has the next one."""

    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    """Precision of training; auto takes bfloat16 where the processor or GPU has instructions for it. Features are float32."""

    @model_validator(mode="after")
    def _consistent(self) -> "Evaluator":
        if self.patch_size < 2 or self.patch_size & (self.patch_size - 1):
            raise ValueError(f"patch_size is {self.patch_size}; expected a power of two, 2 or more")
        if self.image_size % self.patch_size:
            raise ValueError(f"patch_size {self.patch_size} does not divide image_size {self.image_size}")
        for width, heads in (("width", "heads"), ("text_width", "text_heads")):
            if getattr(self, width) % getattr(self, heads):
                raise ValueError(f"{width} {getattr(self, width)} cannot be shared by {getattr(self, heads)} {heads}")
        if self.context_length < 3:
            raise ValueError(f"context_length is {self.context_length}; expected room for a start, an end and a word")
        if self.batch > self.images:
            raise ValueError(f"one batch ({self.batch} images) exceeds the whole training ({self.images} images)")
        return self
