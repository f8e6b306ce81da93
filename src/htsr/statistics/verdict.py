"""The rules by which evidence becomes a verdict, the same for every claim.

supported       The evidence is on the claim's side and chance is unlikely to put it there.
not supported   The evidence is against the claim and chance is unlikely to put it there.
inconclusive    Everything else: too few models or layers to tell, or nothing measured that could tell.

What this means depends on the kind of claim; `significance` is the risk of a wrong "supported":

direction   An effect is positive.
            supported: effect > 0 and p < significance; where there is no p, the interval lies above 0.
            not supported: effect < 0 and p < significance; where there is no p, the interval lies below 0.
fraction    A share is more than a threshold (half, where a claim says "most").
            supported: the interval lies above the threshold. not supported: it lies below.
equality    A difference is smaller than a margin.
            supported: the interval lies within ±margin (that no difference was *seen* is not enough).
            not supported: the interval excludes 0 and reaches beyond the margin.
count       Something holds in at least so many layers.
            supported: the lower bound of the number of layers reaches it. not supported: the upper bound does not.

p values are two-sided, intervals have the level 1 - significance. There is no correction for the number of claims.
"""

import math
from dataclasses import dataclass

SUPPORTED, NOT_SUPPORTED, INCONCLUSIVE = "supported", "not supported", "inconclusive"


@dataclass(frozen=True)
class Evidence:
    """What a claim's statistic says: effect with its interval, p value (NaN where not defined), n, and why."""

    verdict: str
    reason: str
    effect: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    n: int = 0


def direction(effect: float, low: float, high: float, p: float, significance: float) -> str:
    """Verdict on "the effect is positive"."""
    known = math.isfinite(p)
    if effect > 0 and (p < significance if known else low > 0):
        return SUPPORTED
    if effect < 0 and (p < significance if known else high < 0):
        return NOT_SUPPORTED
    return INCONCLUSIVE


def fraction(low: float, high: float, threshold: float) -> str:
    """Verdict on "more than the threshold"."""
    return SUPPORTED if low > threshold else NOT_SUPPORTED if high < threshold else INCONCLUSIVE


def equality(low: float, high: float, margin: float) -> str:
    """Verdict on "the difference is smaller than the margin"."""
    if -margin < low and high < margin:
        return SUPPORTED
    return NOT_SUPPORTED if low > 0 or high < 0 else INCONCLUSIVE


def not_measured(why: str) -> Evidence:
    """Evidence of a claim that needs what this experiment does not have."""
    return Evidence(INCONCLUSIVE, f"not measured in this experiment: {why}")
