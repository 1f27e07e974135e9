"""The whole configuration: arms and sampling settings resolved.

An arm is a named base plus its differences, a sampling setting may differ from another one, a study is a list of both. Only the
workflow and benchmarks import this module; a stage imports the sections that it reads.
"""

from typing import Literal

from pydantic import Field

from asymflow.config.arm import Arm
from asymflow.config.autoencoder import Autoencoder
from asymflow.config.captions import Captions
from asymflow.config.claim import Claim, Decision
from asymflow.config.cost import Cost
from asymflow.config.data import Data
from asymflow.config.embeddings import Embeddings
from asymflow.config.evaluator import Evaluator
from asymflow.config.latent import Latent
from asymflow.config.perceptual import Perceptual
from asymflow.config.prompts import Prompts
from asymflow.config.protocols import Protocols
from asymflow.config.publishing import Publishing
from asymflow.config.release import Release
from asymflow.config.sampling import Asks, Sampling
from asymflow.config.scoring import Scoring
from asymflow.config.search import Search
from asymflow.config.section import Section
from asymflow.config.study import Study
from asymflow.config.subspace import Subspace
from asymflow.config.suite import Suite
from asymflow.config.supplement import Supplement
from asymflow.config.velocity import Velocity


class Experiment(Section):
    """The configuration with every arm and sampling setting resolved."""

    results: str
    """The folder that everything is made in: results, or results/<scale>."""

    seeds: int = Field(gt=0, le=1000)
    """Seeds that each study runs over, unless it says its own number."""

    previews: int = Field(4, ge=0, le=1000)
    """Grids of samples that TensorBoard shows of each training, after as many equal parts of it; 0 draws none. They change no
    result and make none stale."""

    evaluators: Literal["local", "pretrained"]
    """Networks that judge samples: trained here on a split of their own, or published."""

    data: Data = Data()
    evaluator: Evaluator = Evaluator()
    scoring: Scoring = Scoring()
    search: Search = Search()
    subspace: Subspace = Subspace()
    autoencoder: Autoencoder = Autoencoder()
    latent: Latent = Latent()
    perceptual: Perceptual = Perceptual()
    prompts: Prompts = Prompts()
    captions: Captions = Captions()
    embeddings: Embeddings = Embeddings()
    suite: Suite = Suite()
    velocity: Velocity = Velocity()
    protocols: Protocols = Protocols()
    publishing: Publishing = Publishing()
    cost: Cost = Cost()
    decision: Decision = Decision()
    supplement: Supplement = Supplement()
    arms: dict[str, Arm]
    samplings: dict[str, Sampling]
    studies: dict[str, Study]
    claims: dict[str, Claim] = Field(default_factory=dict)
    releases: dict[str, Release] = Field(default_factory=dict)

    def study_seeds(self, study: str) -> range:
        """The seeds of one study."""
        return range(self.studies[study].seeds or self.seeds)

    def look_seeds(self, look: int) -> range:
        """The seeds of one look at a claim."""
        return range(self.decision.looks[look])

    @property
    def supplemented(self) -> tuple[str, ...]:
        """The studies that the supplement shows."""
        return tuple(self.studies) if self.supplement.studies is None else self.supplement.studies


def asked(arm: Arm, sampling: Sampling) -> Asks:
    """What is asked for when an arm is sampled under a setting."""
    if sampling.asks != "own":
        return sampling.asks
    modalities = arm.conditions.modalities
    return "captions" if "caption" in modalities and "class" not in modalities else "classes"
