"""What training minimises: the flow matching loss, and terms that are off unless they are given."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from asymflow.config.section import Section


class Alignment(Section):
    """REPA: features inside the network are aligned with those that a teacher sees in the clean image (1 - cosine)."""

    weight: PositiveFloat = 0.5
    """Weight beside the flow matching loss; the paper's and prx-tg's."""

    block: PositiveInt
    """Blocks that the aligned features have passed. The paper's is 8, of 32; prx-tg's 10, of 18."""

    projector: PositiveInt | None = None
    """Channels inside the three layers that lead from the network's features to the teacher's; the paper's 2048. Null: one
    matrix, as prx-tg has it."""

    teacher: Literal["local", "dinov2", "embedded"] = "local"
    """Whose features: those of the image tower of the evaluator that is trained here, of DINOv2-B, or the patch tokens that stage
    embed_images stored."""

    fades: tuple[float, float] = (1.0, 1.0)
    """Shares of the training between which the weight falls linearly to zero; [1, 1]: it never does. prx-tg later: [0.2, 0.4]."""

    @model_validator(mode="after")
    def _ordered(self) -> "Alignment":
        if not 0 <= self.fades[0] <= self.fades[1] <= 1:
            raise ValueError(f"fades is {list(self.fades)}; expected two shares of the training, the smaller first")
        return self


class Places(Section):
    """Weights of the loss by place, from the set's own face masks; each image's weights have mean 1."""

    face: PositiveFloat = 2.0
    """Weight of a face before that; prx-tg's."""

    elsewhere: PositiveFloat = 0.5
    """Weight of everything else; that of prx-tg's background."""


class VarianceReduction(Section):
    """The error of the frozen lifted model is subtracted from the target of a pixel model that began as it."""

    kappa: PositiveFloat | None = None
    """Where it fades out towards clean images: by half at t = 1 / (1 + kappa). Null never fades; the paper's is 0.3."""

    weight_per: Literal["patch", "channel"] = "patch"
    """What has an adaptive weight of its own: each patch, as in the paper, or each channel of it, as in the official code."""

    weight_floor: NonNegativeFloat = 0.0
    """Smallest mean square in the denominator of the adaptive weight; none in the paper, 1e-4 in the official code."""

    perceptual: PositiveFloat | None = None
    """Weight of the perceptual distance that fades in as the reduction fades out; null is none, the paper's is 0.2."""

    @model_validator(mode="after")
    def _consistent(self) -> "VarianceReduction":
        if self.perceptual and self.kappa is None:
            raise ValueError(
                f"perceptual is {self.perceptual}, but without kappa it never fades in; give kappa (the paper's is 0.3)"
            )
        return self


class Frequency(Section):
    """DeCo: the error of the velocity once more, by frequency, weighted as JPEG quantises: visible frequencies count more."""

    weight: PositiveFloat = 1.0
    """Weight beside the flow matching loss; DeCo's."""

    quality: int = Field(85, ge=1, le=100)
    """JPEG quality whose quantisation tables the weights are the inverse of; DeCo's. 100 weights all frequencies equally."""


class MaskedAlignment(Section):
    """PixelREPA: features pass an adapter of transformer blocks, some of them hidden, before they are compared with a teacher."""

    weight: PositiveFloat = 0.1
    """Weight beside the flow matching loss; PixelREPA's."""

    block: PositiveInt
    """Blocks that the features have passed: as many as class tokens wait before they join. PixelREPA's is 4, of 12."""

    adapter_blocks: PositiveInt = 2
    """Blocks of the adapter, of the network's width; PixelREPA's."""

    hidden: float = Field(0.2, ge=0, lt=1)
    """Probability that a token is hidden from the adapter; PixelREPA's."""

    teacher: Literal["local", "dinov2"] = "local"
    """Whose features, as in `alignment`."""


class SpatialAlignment(Section):
    """iREPA: alignment by a 3 x 3 convolution, with teacher tokens from which most of what they share is taken."""

    weight: PositiveFloat = 0.5
    """Weight beside the flow matching loss; iREPA's."""

    block: PositiveInt
    """Blocks that the features have passed. iREPA's is 4, of 12."""

    gamma: float = Field(0.8, ge=0, le=1)
    """Share of the mean over an image's tokens that is subtracted from each; iREPA's for JiT."""

    teacher: Literal["local", "dinov2"] = "local"
    """Whose features, as in `alignment`."""


class Perceptual(Section):
    """PixelGen: the perceptual distance (LPIPS) between the predicted clean image and the true one."""

    weight: PositiveFloat = 0.1
    """Weight beside the flow matching loss; PixelGen's, for the published network. That which is trained here pulls harder."""

    gate: float = Field(0.7, gt=0, le=1)
    """Highest noise level at which it counts; PixelGen's. 1: at all of them, as in PRX."""

    half: bool = False
    """Whether it looks at both images at half their size, as in PRX."""


class Semantic(Section):
    """PixelGen's P-DINO: what a teacher sees in the predicted clean image against what it sees in the true one (1 - cosine)."""

    weight: PositiveFloat = 0.01
    """Weight beside the flow matching loss; PixelGen's."""

    gate: float = Field(0.7, gt=0, le=1)
    """Highest noise level at which it counts; PixelGen's. 1: at all of them, as in PRX."""

    teacher: Literal["local", "dinov2"] = "local"
    """Who sees, as in `alignment`."""


class Losses(Section):
    """The terms that training minimises the sum of."""

    sigma_min: float = Field(1e-6, gt=0, lt=1)
    """Smallest denominator of the velocity recovery during training."""

    sigma_floor: float = Field(0.05, gt=0, le=1)
    """Noise level below which the flow matching loss stops growing: its weight t / max(t, floor) falls under 1."""

    places: Places | None = None
    """Whether faces count more."""

    alignment: Alignment | None = None
    """Whether, and how, features are aligned with a teacher's."""

    variance_reduction: VarianceReduction | None = None
    """Whether the target is that of the paper's finetuning, and whether a perceptual distance joins it."""

    frequency: Frequency | None = None
    """Whether the error of the velocity is minimised by frequency too."""

    masked_alignment: MaskedAlignment | None = None
    """Whether, and how, features are aligned through an adapter that some of them are hidden from."""

    spatial_alignment: SpatialAlignment | None = None
    """Whether, and how, features are aligned with what differs between a teacher's tokens."""

    perceptual: Perceptual | None = None
    """Whether the predicted image is to look like the true one."""

    semantic: Semantic | None = None
    """Whether a teacher is to see the same in both."""
