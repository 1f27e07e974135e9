"""Intervals of means, by drawing the cases again."""

import numpy as np
from jaxtyping import Float64

CONFIDENCE = 0.95


def interval(values: Float64[np.ndarray, " m"], resamples: int, seed: int) -> tuple[float, float]:
    """The 95 % percentile interval of the mean of the values, each a case of its own.        [Efron 1979]

    Deterministic: the same values, resamples and seed give the same ends.
    """
    draws = np.random.default_rng(seed).integers(len(values), size=(resamples, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def intervals(per_case: dict[str, np.ndarray], resamples: int, seed: int) -> dict[str, float]:
    """The mean of each metric and, as <metric>_low and <metric>_high, the ends of its interval."""
    summary = {}
    for name, values in per_case.items():
        low, high = interval(values, resamples, seed)
        summary |= {name: float(values.mean()), f"{name}_low": low, f"{name}_high": high}
    return summary
