"""What a network is conditioned on, and how often each part of it is shown in training."""

from typing import Literal, get_args

from pydantic import Field, NonNegativeInt, model_validator

from asymflow.config.section import Section

# class: its label. caption: as text tokens. embedding: one vector of the whole image. patches: the image's own patch tokens.
# joints: places of body joints. The order is that of the columns of `Condition.present`.
Modality = Literal["class", "caption", "embedding", "patches", "joints"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)

TOLERANCE = 1e-6  # of the sum of the shares


class Shown(Section):
    """One way to show an image's conditions: which are shown, the others being hidden."""

    share: float = Field(gt=0, le=1)
    """Share of the images that are shown so."""

    what: tuple[Modality, ...] = ()
    """The conditions that are shown; empty: none."""


class Conditions(Section):
    """A law of what is shown: one draw for each image of a batch, in the order of the list."""

    shown: tuple[Shown, ...] = (Shown(share=0.1), Shown(share=0.9, what=("class",)))
    """Ways to show conditions; their shares add up to 1. What none of them shows, the network never sees. Guidance needs a
    share that shows nothing, or there is nothing to guide away from."""

    joints: NonNegativeInt = 0
    """Body joints that the network can be conditioned on; prx-tg has 133. Nothing here detects them: all count as undetected."""

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Everything that the network may be conditioned on, in the order of MODALITIES."""
        return tuple(name for name in MODALITIES if any(name in way.what for way in self.shown))

    @model_validator(mode="after")
    def _is_a_law(self) -> "Conditions":
        total = sum(way.share for way in self.shown)
        if abs(total - 1) > TOLERANCE:
            raise ValueError(f"the shares of shown add up to {total:g}; expected 1")
        for way in self.shown:
            if len(set(way.what)) < len(way.what):
                raise ValueError(f"shown lists a condition twice: {', '.join(way.what)}")
        return self
