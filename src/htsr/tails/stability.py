"""How the exponent depends on the number k of values that it is taken from: paths α(k), and how long they agree."""

import math
from collections import deque

import numpy as np

from htsr.tails.estimators import Path, hill_path, kernel_path, moments_path

PATHS = {"hill": hill_path, "moments": moments_path, "kernel": kernel_path}
LEAST = 10  # values from which on a path is looked at: before, every band holds every exponent


def paths(x: np.ndarray) -> dict[str, Path]:
    """α(k) by every estimator of `PATHS`. x: positive, ascending, at least two values, not all equal."""
    with np.errstate(invalid="ignore", over="ignore"):
        return {name: path(x) for name, path in PATHS.items()}


def plateau(path: Path, z: float = 1.96) -> tuple[int, int, float]:
    """(first k, last k, score) of the longest run of k, in ln k, in which one exponent lies in all bands α(k) ± z s.e.

    k starts at `LEAST`. score = ln(last/first)/ln((n-1)/LEAST): 1 where one exponent serves the whole sample, as for a
    pure power law; 0 where there is no run. The estimates share their data, so that the run is rather too long.
    """
    low, high = path.alpha - z * path.stderr, path.alpha + z * path.stderr
    best, start = (0, 0), LEAST - 1
    highest, lowest = deque(), deque()  # of low, of high, over the current run
    for i in range(LEAST - 1, len(path.k)):
        if not math.isfinite(low[i]):
            start = i + 1
            highest.clear()
            lowest.clear()
            continue
        while highest and low[highest[-1]] <= low[i]:
            highest.pop()
        while lowest and high[lowest[-1]] >= high[i]:
            lowest.pop()
        highest.append(i)
        lowest.append(i)
        while low[highest[0]] > high[lowest[0]]:
            start = min(highest[0], lowest[0]) + 1
            if highest[0] < start:
                highest.popleft()
            if lowest[0] < start:
                lowest.popleft()
        if best == (0, 0) or (i + 1) * best[0] > best[1] * (start + 1):
            best = start + 1, i + 1
    first, last = best
    if last <= first:
        return first, last, 0.0
    return first, last, math.log(last / first) / math.log(len(path.k) / LEAST)
