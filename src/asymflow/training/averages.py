"""Averages of the weights that move along with a training, each under the name by which a run keeps it.

ema_2000    forgets by 1/e over 2000 images        power_7    remembers the same share of the training, however long
stale       prx-tg's                               last       the weights of the last update
"""

import math
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

Weights = dict[str, Tensor]


@runtime_checkable
class Average(Protocol):
    """A set of weights that survives interruptions."""

    name: str
    weights: Weights

    def update(self, batch: int) -> None:
        """Moves towards the current weights, after an update that saw `batch` images."""

    def state(self) -> Weights:
        """What a checkpoint needs of it."""

    def restore(self, state: Weights) -> None:
        """Goes back to what `state` gave."""


class Horizon:
    """One that forgets by 1/e over so many images, updated in place.

        average <- average + (1 - exp(-batch / horizon)) (weights - average)

    JiT's decay 0.9999 at batch 1024 is a horizon of 10.24 million. In a run shorter than a few horizons an average still
    remembers the random start; configure accordingly.
    """

    def __init__(self, name: str, parameters: Weights, horizon: int):
        self.name, self._parameters, self.horizon = name, parameters, horizon
        self.weights = _copies(parameters)

    def update(self, batch: int) -> None:
        _move(self.weights, self._parameters, -math.expm1(-batch / self.horizon))

    def state(self) -> Weights:
        return self.weights

    def restore(self, state: Weights) -> None:
        _copy(state, self.weights)


class Counting:
    """One whose step depends on how many updates there were."""

    COUNT = "updates"  # under this name beside the weights

    def __init__(self, name: str, parameters: Weights):
        self.name, self._parameters, self.updates = name, parameters, 0
        self.weights = _copies(parameters)

    def step(self) -> float:
        """The share by which the average moves towards the weights of update number `updates`."""
        raise NotImplementedError

    def update(self, batch: int) -> None:
        self.updates += 1
        _move(self.weights, self._parameters, self.step())

    def state(self) -> Weights:
        return self.weights | {self.COUNT: torch.tensor(self.updates)}

    def restore(self, state: Weights) -> None:
        self.updates = int(state[self.COUNT])
        _copy(state, self.weights)


class Power(Counting):
    """One that always remembers the same share of the training so far, updated in place.

        average <- average + (1 - (1 - 1/n)^(gamma + 1)) (weights - average),  n = 1, 2, ...    [Karras et al. 2024, eq. 123-127]

    The first update copies the weights, so it has no random start to forget. gamma = 7 weights update n by n^7. LakonLab copies
    them until update 100 and counts from there, which the weight n^7 makes next to no difference after thousands.
    """

    def __init__(self, name: str, parameters: Weights, gamma: float):
        super().__init__(name, parameters)
        self.gamma = gamma

    def step(self) -> float:
        return 1 - (1 - 1 / self.updates) ** (self.gamma + 1)


class Stale(Counting):
    """One that hardly moves once it is warm, updated in place: prx-tg's, for its control.

        average <- d_n average + (1 - d_n) weights,  d_n = 0.9999 n / 500 up to update 500, then 0.9999

    In a run of 5000 updates it is to 64 % made of weights from the first 500.
    """

    DECAY, WARMUP = 0.9999, 500

    def step(self) -> float:
        return 1 - self.DECAY * min(self.updates / self.WARMUP, 1)


class Last:
    """No average: the weights of the last update."""

    def __init__(self, name: str, parameters: Weights):
        self.name, self.weights = name, parameters

    def update(self, batch: int) -> None:
        """The weights are those that training moves."""

    def state(self) -> Weights:
        return {}

    def restore(self, state: Weights) -> None:
        """Nothing: a checkpoint has the weights themselves."""


def build(names: tuple[str, ...], parameters: Weights) -> list[Average]:
    """The sets of weights that a configuration names (`Training.averages`), of the given parameters."""
    return [_named(name, parameters) for name in names]


def _named(name: str, parameters: Weights) -> Average:
    kind, _, value = name.partition("_")
    if kind == "ema":
        return Horizon(name, parameters, int(value))
    if kind == "power":
        return Power(name, parameters, float(value))
    return Stale(name, parameters) if kind == "stale" else Last(name, parameters)


def _copies(parameters: Weights) -> Weights:
    return {name: p.detach().clone() for name, p in parameters.items()}


@torch.no_grad()
def _move(weights: Weights, parameters: Weights, step: float) -> None:
    if weights:
        torch._foreach_lerp_(list(weights.values()), [p.detach() for p in parameters.values()], step)


@torch.no_grad()
def _copy(source: Weights, target: Weights) -> None:
    for name, value in target.items():
        value.copy_(source[name])
