"""How often the phase of a random matrix is the one that its law stands for, and how it changes at the boundaries."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from htsr.metrics.phase import PHASES

NONE = "none"  # the measured phase of a matrix that has none
RATES = ["expected", "measured", "count", "total", "share", "low", "high"]

# Parameters across whose range the phase changes, with the law. Of spiked matrices those of one signal, of Pareto
# entries those with random signs are compared.
BOUNDARIES = {"strength": "spiked", "mu": "pareto", "rank": "low_rank"}


def exact_interval(count: np.ndarray, total: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the interval of Clopper and Pearson (1934) for a probability, from `count` of `total` > 0 cases."""
    count, total = np.asarray(count, float), np.asarray(total, float)
    tail = (1 - level) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(count > 0, betaincinv(np.maximum(count, 1), total - count + 1, tail), 0.0)
        high = np.where(count < total, betaincinv(count + 1, np.maximum(total - count, 1), 1 - tail), 1.0)
    return low, high


def confusion(matrices: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Count and share of each measured phase among the matrices of each expected one, with 95 % intervals.

    matrices: one row a matrix, with expected_phase (those without one are left out) and phase. by: columns that divide
    the matrices further, such as n and m. Returns `by` and RATES, in the order of PHASES; pairs that never occur have
    count 0, and expected phases without a matrix no row.
    """
    known = matrices[matrices["expected_phase"].notna()]
    groups = known.groupby(list(by), sort=True) if by else [((), known)]
    rows = []
    for key, group in groups:
        for expected in _ordered(group["expected_phase"]):
            own = group[group["expected_phase"] == expected]
            rows += [{**dict(zip(by, key, strict=True)), "expected": expected, **row} for row in _shares(own["phase"])]
    return _with_intervals(pd.DataFrame(rows, columns=[*by, *RATES[:4]]))


def across(matrices: pd.DataFrame, parameter: str) -> pd.DataFrame:
    """Share of each phase against a parameter of BOUNDARIES, over matrices of all sizes whose phase is not prescribed.

    Returns the parameter and RATES without `expected`; empty for fewer than two values of the parameter.
    """

    def column(name: str) -> pd.Series:
        return matrices[name] if name in matrices else pd.Series(np.nan, matrices.index)

    values = pd.to_numeric(column(parameter), errors="coerce")
    chosen = matrices["expected_phase"].isna() & (matrices["law"] == BOUNDARIES[parameter]) & values.notna()
    if parameter == "strength":
        chosen &= pd.to_numeric(column("spikes"), errors="coerce").fillna(1) == 1
    if parameter == "mu":
        chosen &= column("signed").astype(str) != "False"
    groups = list(matrices["phase"][chosen].groupby(values[chosen]))
    rows = [{parameter: x, **row} for x, phases in groups for row in _shares(phases)]
    return _with_intervals(pd.DataFrame(rows if len(groups) > 1 else [], columns=[parameter, *RATES[1:4]]))


def reliability(matrices: pd.DataFrame, edges: Sequence[float] = (0, 0.6, 0.8, 0.9, 0.95, 0.99, 1)) -> pd.DataFrame:
    """Share of right phases against the confidence in them, over the matrices whose phase is known.

    edges: of the bins, each with its upper end. Returns confidence (mean of a bin), count, total, share, low, high.
    """
    known = matrices[matrices["expected_phase"].notna() & matrices["phase_confidence"].notna()]
    rows = []
    for low, high in pairwise(edges):
        own = known[(known["phase_confidence"] <= high) & ((known["phase_confidence"] > low) | (low == edges[0]))]
        if len(own):
            right = int((own["phase"] == own["expected_phase"]).sum())
            rows.append({"confidence": own["phase_confidence"].mean(), "count": right, "total": len(own)})
    return _with_intervals(pd.DataFrame(rows, columns=["confidence", "count", "total"]))


def _ordered(phases: pd.Series) -> list[str]:
    present = set(phases)
    return [phase for phase in PHASES if phase in present] + sorted(present - set(PHASES))


def _shares(phases: pd.Series) -> list[dict]:
    found = phases.fillna(NONE)
    columns = [*PHASES, *([NONE] if (found == NONE).any() else [])]
    return [{"measured": phase, "count": int((found == phase).sum()), "total": len(found)} for phase in columns]


def _with_intervals(table: pd.DataFrame) -> pd.DataFrame:
    if not len(table):
        return table.assign(share=[], low=[], high=[])
    low, high = exact_interval(table["count"], table["total"])
    return table.assign(share=table["count"] / table["total"], low=low, high=high)
