"""Names of the same tensors in two layouts: pairs of patterns that are read both ways.

In a pattern, {} stands for one part of a dotted name, and each {} of one side for that at the same place of the other.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from asymflow.config.representation import CHANNELS


def _same(tensor: Tensor) -> Tensor:
    return tensor


@dataclass(frozen=True)
class Pair:
    """One or many tensors by name there and here, and what is done to their values on the way."""

    theirs: str
    ours: str
    to_ours: Callable[[Tensor], Tensor] = _same
    to_theirs: Callable[[Tensor], Tensor] = _same


def to_ours(pairs: tuple[Pair, ...], tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Tensors by our names. Raises ValueError naming the first of those that no pair knows."""
    renamed = {name: _translated(name, [(p.theirs, p.ours, p.to_ours) for p in pairs]) for name in tensors}
    if unknown := sorted(name for name, found in renamed.items() if found is None):
        raise ValueError(
            f"{path} holds {len(unknown)} tensors that this layout does not have, the first {unknown[0]!r}; check released.layout"
        )
    return {found[0]: found[1](tensors[name]).contiguous() for name, found in renamed.items() if found}


def to_theirs(pairs: tuple[Pair, ...], tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by their names. Raises ValueError for a name that the layout has no place for."""
    renamed = {name: _translated(name, [(p.ours, p.theirs, p.to_theirs) for p in pairs]) for name in tensors}
    if unknown := sorted(name for name, found in renamed.items() if found is None):
        raise ValueError(f"the layout has no place for {len(unknown)} of the tensors, the first {unknown[0]!r}")
    return {found[0]: found[1](tensors[name]).contiguous() for name, found in renamed.items() if found}


def convolution_to_matrix(weight: Tensor) -> Tensor:
    """The kernel (k, 3, p, p) of a convolution over patches as the equal matrix (k, p * p * 3): (row, column, channel)."""
    return weight.permute(0, 2, 3, 1).flatten(1)


def matrix_to_convolution(weight: Tensor) -> Tensor:
    """The inverse of `convolution_to_matrix`."""
    side = math.isqrt(weight.shape[1] // CHANNELS)
    return weight.unflatten(1, (side, side, CHANNELS)).permute(0, 3, 1, 2)


def _translated(
    name: str, patterns: list[tuple[str, str, Callable[[Tensor], Tensor]]]
) -> tuple[str, Callable[[Tensor], Tensor]] | None:
    """The name on the other side, and what is done to the values; None where no pattern knows it."""
    for pattern, other, change in patterns:
        if match := re.fullmatch(re.escape(pattern).replace(r"\{\}", "([^.]+)"), name):
            return other.format(*match.groups()), change
    return None
