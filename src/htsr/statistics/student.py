"""Means over a handful of repetitions, such as seeds, where resampling has too little to draw from: Student's t."""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit


class Student(NamedTuple):
    """A mean of n independent values, its standard error, the ends of its interval, and the two-sided p of 0.

    NaN but for the mean where n is 1 or where all values are equal, which says nothing of their spread.
    """

    mean: float
    stderr: float
    low: float
    high: float
    p: float
    n: int


def student(values: np.ndarray, level: float = 0.95) -> Student:
    """Mean of n values, NaN left out, with its interval of the given level under normal errors."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    n = len(values)
    mean = float(values.mean()) if n else math.nan
    stderr = float(values.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan
    return estimate(mean, stderr, n - 1, level)._replace(n=n)


def estimate(mean: float, stderr: float, freedom: float, level: float = 0.95) -> Student:
    """Interval and p of an estimate whose error has so many degrees of freedom."""
    if not stderr > 1e-12 * abs(mean) or freedom < 1:
        return Student(mean, math.nan, math.nan, math.nan, math.nan, 0)
    width = stderr * float(stdtrit(freedom, (1 + level) / 2))
    p = 2 * float(stdtr(freedom, -abs(mean) / stderr))
    return Student(mean, stderr, mean - width, mean + width, p, 0)


def jackknife(whole: float, left_out: np.ndarray, level: float = 0.95) -> Student:
    """Estimate from n units with the standard error of its n values without one unit each.

    stderr² = (n - 1)/n Σ (θ_(i) - mean θ_(i))², n - 1 degrees of freedom (Tukey 1958, Ann. Math. Stat. 29, 614).
    """
    n = len(left_out)
    stderr = math.sqrt((n - 1) / n * float(((left_out - left_out.mean()) ** 2).sum())) if n > 1 else math.nan
    return estimate(whole, stderr, n - 1, level)._replace(n=n)
