"""The interval of a mean over seeds, for tables, figures, verdicts and claims."""

from functools import cache

import numpy as np
import pandas as pd
from scipy import stats

CONFIDENCE = 0.95  # of an interval that is not told another


def interval(values: pd.Series | list[float], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The ends of the t-interval of the mean; not a number for a single value, and where one of them is not finite.

    mean -+ q s / sqrt(n),   q the (1 + confidence) / 2 quantile of Student's t with n - 1 degrees of freedom
    """
    n = len(values)
    if n < 2 or not np.isfinite(values).all():
        return float("nan"), float("nan")
    mean, reach = float(np.mean(values)), _quantile(confidence, n - 1) * float(np.std(values, ddof=1)) / n**0.5
    return mean - reach, mean + reach


@cache
def _quantile(confidence: float, freedom: int) -> float:
    return float(stats.t.ppf((1 + confidence) / 2, freedom))
