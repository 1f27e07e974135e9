"""Exponential moving averages of the weights, several horizons at once."""

import math
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class Average(Protocol):
    """An average of weights that moves along with a training and survives its interruptions."""

    def update(self, batch: int) -> None: ...

    def tensors(self) -> dict[str, Tensor]:
        """The averages as a file holds them."""

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Goes back to what `tensors` gave."""


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

    def tensors(self) -> dict[str, Tensor]:
        return {f"ema_{h}.{name}": value for h, average in self.weights.items() for name, value in average.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        for name, value in self.tensors().items():
            value.copy_(tensors[name])


class PowerAverage:
    """An average of the given parameters that always remembers the same share of the training so far, updated in place.

        average <- average + (1 - (1 - 1/n)^(gamma + 1)) (weights - average),  n = 1, 2, ...    [Karras et al. 2024, eq. 123-127]

    The first update copies the weights, so it has no random start to forget. gamma = 7 weighs update n by n^7.
    """

    def __init__(self, parameters: dict[str, Tensor], gamma: float):
        self._parameters, self.gamma, self.updates = parameters, gamma, 0
        self.weights = {name: p.detach().clone() for name, p in parameters.items()}

    @torch.no_grad()
    def update(self, batch: int) -> None:
        """Moves the average towards the current weights, after an update, whatever the number of its images."""
        self.updates += 1
        step = 1 - (1 - 1 / self.updates) ** (self.gamma + 1)
        torch._foreach_lerp_(list(self.weights.values()), [p.detach() for p in self._parameters.values()], step)

    def tensors(self) -> dict[str, Tensor]:
        updates = torch.tensor(self.updates)
        return {f"ema.{name}": value for name, value in self.weights.items()} | {"ema_updates": updates}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self.updates = int(tensors["ema_updates"])
        for name, value in self.weights.items():
            value.copy_(tensors[f"ema.{name}"])


class StaleAverage:
    """An average of the given parameters that hardly moves once it is warm, updated in place: prx-tg's, for its control.

        average <- d_n average + (1 - d_n) weights,  d_n = 0.9999 n / 500 up to update 500, then 0.9999

    In a run of 5000 updates it is to 64 % made of weights from the first 500.
    """

    DECAY, WARMUP = 0.9999, 500

    def __init__(self, parameters: dict[str, Tensor]):
        self._parameters, self.updates = parameters, 0
        self.weights = {name: p.detach().clone() for name, p in parameters.items()}

    @torch.no_grad()
    def update(self, batch: int) -> None:
        """Moves the average towards the current weights, after an update, whatever the number of its images."""
        self.updates += 1
        decay = self.DECAY * min(self.updates / self.WARMUP, 1)
        torch._foreach_lerp_(list(self.weights.values()), [p.detach() for p in self._parameters.values()], 1 - decay)

    def tensors(self) -> dict[str, Tensor]:
        return {f"ema.{name}": value for name, value in self.weights.items()} | {
            "ema_updates": torch.tensor(self.updates)
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self.updates = int(tensors["ema_updates"])
        for name, value in self.weights.items():
            value.copy_(tensors[f"ema.{name}"])
