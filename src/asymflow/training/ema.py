"""Exponential moving averages of the weights, several horizons at once."""

import math

import torch
from torch import Tensor


class Averages:
    """One average of the given parameters for each horizon, updated in place.

        average <- average + (1 - exp(-batch / horizon)) (weights - average)

    A horizon counts images: an average forgets by 1/e over so many. JiT's decay 0.9999 at batch 1024 is a horizon of
    10.24 million. In a run shorter than a few horizons an average still remembers the random start; configure accordingly.
    """

    def __init__(self, parameters: dict[str, Tensor], horizons: tuple[int, ...]):
        self._parameters = parameters
        self.weights = {h: {name: p.detach().clone() for name, p in parameters.items()} for h in horizons}

    @torch.no_grad()
    def update(self, batch: int) -> None:
        """Moves every average towards the current weights, after an update that saw `batch` images."""
        current = [p.detach() for p in self._parameters.values()]
        for horizon, average in self.weights.items():
            torch._foreach_lerp_(list(average.values()), current, -math.expm1(-batch / horizon))


class PowerAverage:
    """An average of the given parameters that always remembers the same share of the training so far, updated in place.

        average <- average + (1 - (1 - 1/n)^(gamma + 1)) (weights - average),  n = 1, 2, ...    [Karras et al. 2024, eq. 123-127]

    The first update copies the weights, so it has no random start to forget. gamma = 7 weighs update n by n^7.
    """

    def __init__(self, parameters: dict[str, Tensor], gamma: float):
        self._parameters, self.gamma, self.updates = parameters, gamma, 0
        self.weights = {name: p.detach().clone() for name, p in parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Moves the average towards the current weights, after an update."""
        self.updates += 1
        step = 1 - (1 - 1 / self.updates) ** (self.gamma + 1)
        torch._foreach_lerp_(list(self.weights.values()), [p.detach() for p in self._parameters.values()], step)
