"""Configuration of one arm of prx-tg: what is trained, and by which of its remedies."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from asymflow.config.nanodit import NanoDiT
from asymflow.config.section import Section
from asymflow.config.target import Target
from asymflow.config.training import Schedule


class Tread(Section):
    """TREAD: in training, only some image tokens go through the blocks between the first and the last."""

    share: float = Field(0.0, ge=0, lt=1)
    """Share of the image tokens that bypass these blocks, the same for a whole batch; 0 is none, prx-tg's is 0.5."""


class Alignment(Section):
    """REPA: features in the middle of the network are drawn towards the image's own patch tokens (1 - cosine, one matrix)."""

    weight: NonNegativeFloat = 0.0
    """Weight of the alignment beside the loss; 0 is none, prx-tg's is 0.5."""

    fades: tuple[float, float] = (1.0, 1.0)
    """Shares of the training between which the weight falls linearly to zero; (1, 1): it never does. prx-tg later: (0.2, 0.4)."""

    @model_validator(mode="after")
    def _ordered(self) -> "Alignment":
        if not 0 <= self.fades[0] <= self.fades[1] <= 1:
            raise ValueError(f"fades is {list(self.fades)}; expected two shares of the training, the smaller first")
        return self


class Spatial(Section):
    """Weights of the loss by place, from the set's own face masks; each image's weights have mean 1."""

    face: PositiveFloat = 1.0
    """Weight of a face before that; prx-tg's is 2."""

    elsewhere: PositiveFloat = 1.0
    """Weight of everything else; prx-tg's background has 0.5."""

    @property
    def uniform(self) -> bool:
        """Whether every place counts alike, so that no mask is needed."""
        return self.face == self.elsewhere


class Dropout(Section):
    """How often which conditions are shown in training: one draw for each image. Defaults: prx-tg's."""

    nothing: NonNegativeFloat = 0.10
    """No condition at all."""

    text: NonNegativeFloat = 0.25
    """The caption alone."""

    cls: NonNegativeFloat = 0.05
    """The image embedding alone."""

    patches: NonNegativeFloat = 0.05
    """The image's patch tokens alone."""

    no_joints: NonNegativeFloat = 0.10
    """All but the joints."""

    joints: NonNegativeFloat = 0.05
    """The joints alone."""

    everything: NonNegativeFloat = 0.40
    """All conditions."""

    @model_validator(mode="after")
    def _is_a_law(self) -> "Dropout":
        total = sum(self.model_dump().values())
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the shares add up to {total:g}; expected 1")
        return self


class PrxTraining(Schedule):
    """How one arm of prx-tg is trained."""

    optimiser: Literal["adamw", "muon"] = "adamw"
    """Adam for everything, or Muon for matrices and Adam for the rest, both at the same learning rate."""

    weight_decay: NonNegativeFloat = 0.03
    """Decoupled weight decay of everything; prx-tg's."""

    time_mean: float = 0.0
    """Mean of the logit of the noise level."""

    time_std: PositiveFloat = 1.0
    """Standard deviation of the logit of the noise level."""

    sigma_min: PositiveFloat = 1e-6
    """Smallest denominator of the velocity recovery during training."""

    sigma_floor: PositiveFloat = 0.05
    """Noise level below which the loss stops to grow; prx-tg's."""

    ema: Literal["horizon", "stale"] = "horizon"
    """Averaged weights: with a horizon, or prx-tg's, whose decay of 0.9999 after 500 updates remembers these longest."""

    ema_images: PositiveInt = 2_000
    """Horizon of the averaged weights: they forget by 1/e over so many images."""

    set_images: PositiveInt | None = None
    """Training images that are used, the first of the split; None uses all."""


class PrxArm(Section):
    """Everything that decides the weights of a run of prx-tg, beside data, embeddings, subspace and seed."""

    network: NanoDiT = NanoDiT()
    """The network."""

    target: Target = Target(rank=0)
    """What the network predicts. Rank 0 is the x_0-prediction of prx-tg's arms A to E."""

    dead_target: bool = False
    """Whether the target stays unread and the network predicts x_0 whatever its rank is, as in prx-tg's public code, where
    the asymmetric target is computed and the loss of x_0-prediction makes its own. For the control of the published protocol."""

    tread: Tread = Tread()
    """Whether image tokens bypass blocks in training."""

    alignment: Alignment = Alignment()
    """Whether features are aligned with the image's patch tokens."""

    spatial: Spatial = Spatial()
    """Whether faces count more."""

    dropout: Dropout = Dropout()
    """How often which conditions are shown."""

    training: PrxTraining = PrxTraining()
    """How it is trained."""

    def columns(self, dimension: int) -> int:
        """The rank of what the network does predict, given the patch dimension D."""
        return 0 if self.dead_target else self.target.columns(dimension)
