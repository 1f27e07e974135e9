"""Configuration of one arm: what is trained."""

from asymflow.config.model import Model
from asymflow.config.repa import Repa
from asymflow.config.section import Section
from asymflow.config.target import Target
from asymflow.config.training import Training


class Arm(Section):
    """Everything that decides the weights of a run, beside data, subspace and seed."""

    target: Target = Target()
    """What the network predicts."""

    model: Model = Model()
    """The network."""

    training: Training = Training()
    """How it is trained."""

    repa: Repa = Repa()
    """Whether, and how, its features are aligned with a teacher's."""
