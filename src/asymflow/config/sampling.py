"""How images are drawn from a trained run."""

import re
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from asymflow.config.section import Section

Solver = Literal["heun", "euler", "unipc"]
Asks = Literal["classes", "captions", "cases"]  # what an arm may be asked for
AVERAGE = "average_"  # how weights are called that are put together after the training
SHORTEST, LONGEST = 0.03, 0.2  # lengths that two averages and a few snapshots can be put together to


class Interval(Section):
    """Guidance that acts at some noise levels only."""

    interval: tuple[float, float] = (0.0, 1.0)
    """Noise levels in which guidance acts, both ends included; 0 is the clean end."""

    @model_validator(mode="after")
    def _ordered(self):
        low, high = self.interval
        if not 0 <= low <= high <= 1:
            raise ValueError(
                f"interval is [{low}, {high}]; expected [low, high] with 0 <= low <= high <= 1, in noise level (0 is clean)"
            )
        return self


class Unguided(Section):
    """No guidance: the conditional prediction as it is."""

    kind: Literal["none"] = "none"


class ClassifierFree(Interval):
    """Classifier-free guidance: extrapolates from the unconditional prediction through the conditional one."""

    kind: Literal["classifier_free"] = "classifier_free"

    scale: float = Field(2.0, ge=0, le=100)
    """1 means no guidance; the paper's is 4 for captions."""

    orthogonal: bool = False
    """Whether guidance is kept orthogonal to the predicted image (APG), as in the paper's text-to-image models."""


class Dual(Interval):
    """Guidance by the caption and by the image embeddings, each with a scale of its own."""

    kind: Literal["dual"] = "dual"

    caption_scale: float = Field(3.0, ge=0, le=100)
    """Scale of the caption; prx-tg's."""

    image_scale: float = Field(2.5, ge=0, le=100)
    """Scale of the image embedding and the patch tokens; prx-tg's."""


class Routing(Interval):
    """Guidance away from a pass in which some tokens bypass the middle blocks, for arms that were trained with TREAD."""

    kind: Literal["routing"] = "routing"

    scale: float = Field(3.0, ge=0, le=100)
    """Scale; prx-tg's."""


class Searched(Section):
    """Classifier-free guidance whose scale and interval come from each run's own search."""

    kind: Literal["searched"] = "searched"

    average: bool = False
    """Whether the length of the average of the weights is searched too (`search.averages`). The arm keeps two averages
    power_<gamma> and some snapshots, from which any length is put together."""

    orthogonal: bool = False
    """Whether guidance is kept orthogonal to the predicted image (APG)."""


class Sampling(Section):
    """How images are drawn from a trained run."""

    asks: Literal["own", Asks] = "own"
    """What is asked for. classes: all of them, evenly; captions: the prompts, each alone; cases: those of the validation suite.
    own: captions for arms that are conditioned on captions but not on classes, else classes."""

    count: PositiveInt = 2_000
    """Images drawn; for captions, one for each of the first `count`. The validation suite is always drawn whole."""

    solver: Solver = "heun"
    """Heun: two evaluations of the network a step, the last one; Euler and UniPC (order 2): one."""

    steps: int = Field(12, gt=0, le=10_000)
    """Steps of the solver."""

    shift: float | None = Field(None, gt=0, le=1000)
    """Shift of the noise levels towards noise; null is that of the arm's training."""

    guidance: Annotated[Unguided | ClassifierFree | Dual | Routing | Searched, Field(discriminator="kind")] = Unguided()
    """How guidance strengthens the conditions."""

    sigma_min: float = Field(0.04, ge=0, lt=1)
    """Smallest denominator of the velocity recovery while sampling; the paper's 0.04, 1e-4 for its text-to-image models."""

    gamut_clamp: bool = False
    """Whether every predicted image is brought into the gamut of RGB before the next step."""

    weights: str | None = None
    """Which of the arm's `averages` is sampled; null is the first. average_<length>, average_0.1 for instance, is one that is put
    together after the training: a power-function average whose standard deviation is so great a share of the training."""

    snapshot: PositiveInt | None = None
    """Which of the snapshots that the training kept is sampled: 1, 2, ...; null takes the finished model."""

    paired: bool = True
    """Whether an edit in the validation suite begins with the noise of its original. prx-tg's do not, so that its edits mostly
    measure the noise."""

    batch: PositiveInt = 100
    """Images sampled together. Changes no sample beyond the rounding of the arithmetic."""

    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    """Precision inside the network; auto takes bfloat16 where the processor or GPU has instructions for it."""

    compile: Literal["auto", "on", "off"] = "auto"
    """Whether the network is compiled, which pays from some ten thousand small images on."""

    @model_validator(mode="after")
    def _average_can_be_made(self):
        put_together = self.weights and self.weights.startswith(AVERAGE)
        if put_together and not (self.length and SHORTEST <= self.length <= LONGEST):
            raise ValueError(
                f"weights is {self.weights!r}; expected average_<length> with a length from {SHORTEST} to {LONGEST}, such as"
                " average_0.1"
            )
        return self

    @property
    def length(self) -> float | None:
        """The length of the average that is put together after the training, or None where kept weights are sampled."""
        found = re.fullmatch(AVERAGE + r"(0\.\d+)", self.weights or "")
        return float(found[1]) if found else None

    @property
    def of_snapshots(self) -> bool:
        """Whether the weights come from the snapshots of a training and not from its finished model."""
        return bool(self.snapshot or self.length or self.searches_average)

    @property
    def searches_average(self) -> bool:
        """Whether the length of the average of the weights comes from a search."""
        return self.guidance.kind == "searched" and self.guidance.average

    def averaged(self, length: float) -> "Sampling":
        """The same with an average of the weights that is put together after the training."""
        return self.model_copy(update={"weights": f"{AVERAGE}{length}"})

    def guided(self, scale: float, interval: tuple[float, float]) -> "Sampling":
        """The same with the classifier-free guidance of one candidate of a search; scale 1 is none."""
        orthogonal = self.guidance.kind == "searched" and self.guidance.orthogonal
        return self.model_copy(
            update={"guidance": ClassifierFree(scale=scale, interval=interval, orthogonal=orthogonal)}
        )
