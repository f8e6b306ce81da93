"""The power law that ends at the largest value: for spectra with a sharp upper end.

p(x) = (α-1) xmin^(α-1) x^-α / (1 - (xmin/xmax)^(α-1)) for xmin <= x <= xmax, with xmax the largest value, which is its
most likely place (Aban, Meerschaert, Panorska 2006, J. Am. Stat. Assoc. 101, 270).
"""

import math

import numpy as np

from htsr.tails.power_law import DEFAULT, PowerLaw, Rule, distinct, unusable


def bounded_log_pdf(x, alpha, xmin, xmax):
    """ln of the density; alpha may be any number."""
    t, length = np.log(np.asarray(x) / xmin), math.log(xmax / xmin)
    a = (alpha - 1) * length
    norm = length if a == 0 else length * -math.expm1(-a) / a
    return -alpha * t - math.log(norm) - math.log(xmin)


def fit_bounded_tail(tail: np.ndarray, xmin: float) -> tuple[float, float]:
    """(α, its standard error) of greatest likelihood for numbers tail >= xmin, given that their largest is xmax.

    Given xmax, the other n - 1 values are independent draws of the law that ends there, and α is that of greatest
    likelihood for them; with the largest among them, as in the reference, α is too small (Pareto samples of 50 values:
    α - 1 by 7 %, and 91 instead of 95 % of the intervals hold it). The standard error is 1/√((n - 1) var ln x) from
    Fisher's information, xmin taken for known. α is below 1 where the density of ln x rises towards the end.
    """
    from htsr.tails.search import bounded_slope  # compiled, and only fits need it: figures load faster without

    t = np.sort(np.log(np.asarray(tail) / xmin))
    slope, variance = bounded_slope(float(t[:-1].mean()), float(t[-1]))
    return 1 + slope, 1 / math.sqrt((len(t) - 1) * variance)


def fit_bounded(x: np.ndarray, rule: Rule = DEFAULT) -> PowerLaw:
    """Fit the bounded law to the tail of a sample, xmin where the Kolmogorov-Smirnov distance is least.

    x and rule: as for `fit_power_law`; the law is cut off at the largest value whatever rule.cut_at_xmax says.
    """
    from htsr.tails.search import best_bounded_tail

    x = np.sort(np.asarray(x, float))
    least = max(rule.min_tail, 3)  # two values are always fitted alike
    if status := unusable(x, least):
        return PowerLaw(status=status)
    logs, below = distinct(x)
    start, _, distance = best_bounded_tail(logs, below, least, rule.ks == "left")
    if start < 0 or below[-1] - below[start] < least or not np.isfinite(distance):
        return PowerLaw(status="no tail of enough distinct values")
    tail = x[below[start] :]
    alpha, stderr = fit_bounded_tail(tail, tail[0])
    return PowerLaw(float(alpha), float(stderr), float(tail[0]), float(x[-1]), float(distance), len(tail))
