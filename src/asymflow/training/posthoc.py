"""An average of the weights of any length, put together after the training from the power-function averages in its snapshots.

A power-function average at time T weighs the weights of time t by p(t) = (gamma + 1) t^gamma / T^(gamma + 1) for t <= T. Its
length is the standard deviation of p as a share of T, and a mixture of the averages that were kept comes as near to one of
another length as their profiles allow.  [Karras et al. 2024, section 3.2 and appendix C]
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from asymflow import tensors
from asymflow.training.averages import Weights
from asymflow.training.checkpoint import Model, load_model

POWER = "power_"  # how names of power-function averages begin


class Profile(NamedTuple):
    """A power-function average: its exponent, and the time at which it ends, in images."""

    gamma: float
    time: float


def length_of(gamma: float) -> float:
    """The length of a power-function average: sqrt((gamma + 1) / (gamma + 3)) / (gamma + 2), at most 0.289, that of gamma = 0."""
    return float(np.sqrt((gamma + 1) / (gamma + 3)) / (gamma + 2))


def gamma_of(length: float) -> float:
    """The exponent whose average has so great a length, in (0, 0.289]: the inverse of `length_of`.

    It solves (gamma + 2)^2 (gamma + 3) length^2 = gamma + 1.
    """
    inverse = length**-2
    return float(np.roots([1, 7, 16 - inverse, 12 - inverse]).real.max())


def overlap(a: Profile, b: Profile) -> float:
    """The inner product of two profiles: the integral of p_a p_b."""
    if a.time > b.time:
        a, b = b, a
    factor = (a.gamma + 1) * (b.gamma + 1) / (a.gamma + b.gamma + 1)
    return factor * (a.time / b.time) ** b.gamma / b.time


def coefficients(kept: Sequence[Profile], wanted: Profile) -> tuple[Float[np.ndarray, "kept"], float]:
    """The mixture of kept profiles that is nearest to the wanted one, and how far it stays from it.

    Least squares over all times, under the constraint that the shares sum to one, which the publication leaves out: without it a
    mixture of few snapshots scales all weights by a percent. The distance is relative to the wanted profile's norm.
    """
    scaled = [Profile(p.gamma, p.time / wanted.time) for p in kept]
    target = Profile(wanted.gamma, 1.0)
    gram = np.array([[overlap(a, b) for b in scaled] for a in scaled])
    towards = np.array([overlap(a, target) for a in scaled])
    one = np.ones((len(kept), 1))
    system = np.block([[gram, one], [one.T, np.zeros((1, 1))]])  # the last unknown is the constraint's multiplier
    mixture = np.linalg.lstsq(system, np.append(towards, 1.0), rcond=None)[0][:-1]
    norm = overlap(target, target)
    squared = norm - 2 * mixture @ towards + mixture @ gram @ mixture
    return mixture, float(np.sqrt(max(squared, 0) / norm))


def reconstruct(snapshots: Sequence[Path], length: float) -> Model:
    """The model of the last of these snapshots of one training, with an average of the given length up to its time.

    Raises ValueError when a snapshot keeps no power-function average, or is of another training than the last.
    """
    descriptions = [tensors.describe(path, "model") for path in snapshots]
    kept: list[tuple[Path, str, Profile]] = []
    for path, description in zip(snapshots, descriptions, strict=True):
        names = [name for name in description["weights"] if name.startswith(POWER)]
        if not names:
            raise ValueError(
                f"{path} keeps the weights {', '.join(description['weights'])}; expected power-function averages, to put one of"
                " another length together"
            )
        of_last = {key: descriptions[-1][key] for key in ("arm", "seed", "data")}
        if {key: description[key] for key in of_last} != of_last:
            raise ValueError(f"{path} is a snapshot of another training than {snapshots[-1]}; train again")
        kept += [(path, name, Profile(float(name.removeprefix(POWER)), float(description["images"]))) for name in names]
    wanted = Profile(gamma_of(length), float(descriptions[-1]["images"]))
    mixture, _ = coefficients([profile for _, _, profile in kept], wanted)
    weights: Weights = {}
    for (path, name, _), share in zip(kept, mixture, strict=True):
        for key, value in load_model(path, name).weights.items():
            weights[key] = weights[key] + share * value.double() if key in weights else share * value.double()
    last = load_model(snapshots[-1])
    return replace(last, weights={key: value.to(last.weights[key].dtype) for key, value in weights.items()})
