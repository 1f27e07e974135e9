"""Configuration of one arm: everything that decides the weights of a run, beside data and seed.

An arm is made of parts, none of which knows the others; what they cannot be together stands in `asymflow.config.impossible`.
"""

from typing import Annotated, Any

from pydantic import Field, model_validator

from asymflow.config import impossible
from asymflow.config.conditions import Conditions
from asymflow.config.decoupled import Decoupled
from asymflow.config.dit import DiT
from asymflow.config.flux import Flux
from asymflow.config.gained import Gained
from asymflow.config.jit import JiT
from asymflow.config.losses import Losses
from asymflow.config.nanodit import NanoDiT
from asymflow.config.representation import Representation
from asymflow.config.section import Section
from asymflow.config.start import Start
from asymflow.config.targets.asymmetric import Asymmetric
from asymflow.config.targets.forced import Forced
from asymflow.config.targets.isotropic import Isotropic
from asymflow.config.targets.opening import Opening
from asymflow.config.targets.preconditioned import Preconditioned
from asymflow.config.targets.spectral import Spectral
from asymflow.config.training import Training
from asymflow.config.uvit import UViT


class Arm(Section):
    """What is trained."""

    representation: Representation = Representation()
    """What a token is."""

    network: Annotated[JiT | UViT | Decoupled | Gained | NanoDiT | DiT | Flux, Field(discriminator="kind")] = JiT()
    """What maps noisy tokens, noise level and condition to tokens."""

    conditions: Conditions = Conditions()
    """What the network is conditioned on."""

    target: Annotated[
        Asymmetric | Isotropic | Spectral | Opening | Preconditioned | Forced, Field(discriminator="kind")
    ] = Asymmetric()
    """What the network predicts."""

    start: Start = Start()
    """What it begins as."""

    losses: Losses = Losses()
    """What is minimised."""

    training: Training = Training()
    """How it is trained."""

    @model_validator(mode="before")
    @classmethod
    def _target_of_the_paper(cls, values: Any) -> Any:
        """A target that says no kind is the paper's."""
        target = values.get("target") if isinstance(values, dict) else None
        if isinstance(target, dict) and "kind" not in target:
            return values | {"target": {"kind": "asymmetric", **target}}
        return values

    @property
    def lifted(self) -> bool:
        """Whether it begins as a latent model whose outer layers are lifted to pixel patches."""
        return self.target.basis == "lift" or self.start.head is not None

    @property
    def whole_flux(self) -> bool:
        """Whether it is a FLUX.2 that was lifted to pixels with its own last layer, no decoder head."""
        return self.network.kind == "flux" and self.lifted and self.start.head is None

    @property
    def needs_latents(self) -> bool:
        """Whether training sees the latents of its images."""
        return self.representation.space == "latent" or self.losses.variance_reduction is not None

    @property
    def needs_embedded_images(self) -> bool:
        """Whether training sees what stage embed_images stored."""
        losses = self.losses
        stored = losses.places or (losses.alignment and losses.alignment.teacher == "embedded")
        return bool(stored or {"embedding", "patches"} & set(self.conditions.modalities))

    @model_validator(mode="after")
    def _possible(self) -> "Arm":
        for mistake in impossible.mistakes(self):
            raise ValueError(mistake)
        return self
