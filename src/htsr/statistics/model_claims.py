"""Claims about models: which metric goes with accuracy, and whether it does so better than simpler ones.

Every test takes (tables, judging, its arguments) and gives `Evidence`. All are within series: only models of the same
series are compared. `of` says whose models: those of this `experiment`, or those whose results others `published`.
`expected` is the sign of the rank correlation of metric and target: with the target `error`, "a smaller metric means a
better model" is `positive`.
"""

import math

import numpy as np
import pandas as pd

from htsr.errors import InputError
from htsr.statistics import verdict
from htsr.statistics.correlation import kendall, permutation_p
from htsr.statistics.evidence import (
    EXPERIMENT,
    Judging,
    NotMeasured,
    Tables,
    bounds,
    least_p,
    models_of,
    number,
    pooled,
)
from htsr.statistics.metrics_table import series_codes, usable
from htsr.statistics.resampling import FEWEST, bootstrap_weights, interval
from htsr.statistics.verdict import Evidence


def tracks_accuracy(
    tables: Tables,
    judging: Judging,
    metric: str,
    target: str = "error",
    expected: str = "positive",
    of: str = EXPERIMENT,
) -> Evidence:
    """Direction: metric and target are ranked alike (`positive`) or oppositely (`negative`) within series.

    Kendall's τ-b over all series with its p under permutations within series, from the regression table.
    """
    sign, given = _sign(expected), models_of(tables, of)
    row = pooled(given.regressions, metric, target, "kendall_tau")
    rows = usable(given.models, [metric, target])
    return _directed(
        sign,
        *row[["kendall_tau", "kendall_low", "kendall_high", "kendall_p", "n"]],
        judging,
        f"within-series tau of {metric} and {target}",
        f" of {rows['series'].nunique()} series{least_p(_orders(rows), judging.significance)}",
    )


def tracks_beyond_controls(
    tables: Tables,
    judging: Judging,
    metric: str,
    target: str = "error",
    expected: str = "positive",
    of: str = EXPERIMENT,
) -> Evidence:
    """Direction: as `tracks_accuracy`, with the partial τ after taking out depth and log_norm."""
    row = pooled(models_of(tables, of).regressions, metric, target, "partial_tau")
    return _directed(
        _sign(expected),
        *row[["partial_tau", "partial_tau_low", "partial_tau_high", "partial_tau_p", "n"]],
        judging,
        f"within-series tau of {metric} and {target} after taking out depth and log_norm",
    )


def tracks_in_sweeps(
    tables: Tables, judging: Judging, metric: str, target: str = "gap", expected: str = "positive"
) -> Evidence:
    """Direction: as `tracks_accuracy`, over the trainings of all sweeps (means over seeds), within sweeps."""
    if tables.training is None:
        raise NotMeasured("no sweeps of trained networks")
    row = pooled(tables.training.regressions, metric, target, "kendall_tau")
    return _directed(
        _sign(expected),
        *row[["kendall_tau", "kendall_low", "kendall_high", "kendall_p", "n"]],
        judging,
        f"within-sweep tau of {metric} and {target}",
        " (means over seeds)",
    )


def nears_value(
    tables: Tables,
    judging: Judging,
    metric: str,
    value: float,
    target: str = "error",
    expected: str = "positive",
    of: str = EXPERIMENT,
) -> Evidence:
    """Direction: the distance |metric - value| and the target are ranked alike (oppositely) within series."""
    rows = usable(models_of(tables, of).models, [metric, target])
    x, y, groups, n = np.abs(rows[metric] - value).to_numpy(), rows[target].to_numpy(), series_codes(rows), len(rows)
    tau = float(kendall(x, y, groups)[0])
    if not math.isfinite(tau):
        raise NotMeasured(f"{n} models with different {metric} and {target}")
    rng = judging.rng(metric, target)
    weights = bootstrap_weights(rng, groups, judging.resamples)
    low, high = interval(kendall(x, y, groups, weights), n, judging.level)
    p, _ = permutation_p(x, y, groups, rng, judging.resamples)
    best = rows.loc[rows.groupby("series")["error"].idxmin(), metric]
    spread = " to ".join(number(v) for v in sorted({best.min(), best.max()}))
    return _directed(
        _sign(expected),
        *(tau, low, high, p, n),
        judging,
        f"within-series tau of |{metric} - {number(value)}| and {target}",
        f" of {rows['series'].nunique()} series, the best of which have {metric} {spread}"
        f"{least_p(_orders(rows), judging.significance)}",
    )


def beats_rivals(
    tables: Tables,
    judging: Judging,
    metric: str,
    rivals: list,
    target: str = "error",
    expected: str = "positive",
    of: str = EXPERIMENT,
) -> Evidence:
    """Direction: metric ranks the models better than every rival.

    Effect: τ of metric and target, in the expected direction, less |τ| of the rival, resampled together; reported for
    the strongest rival. supported: the interval lies above 0 for all rivals; not supported: below 0 for one. A rival
    that is the same for all models is left out.
    """
    sign, columns, models = _sign(expected), [metric, target, *rivals], models_of(tables, of).models
    missing = [name for name in columns if name not in models]
    if missing or not rivals:
        raise NotMeasured(f"no column {', '.join(missing)}" if missing else "no rivals named")
    rows = usable(models, columns)
    y, groups, n = rows[target].to_numpy(), series_codes(rows), len(rows)
    weights = bootstrap_weights(judging.rng(metric, target), groups, judging.resamples)
    weights = np.vstack([np.ones(n), weights])
    taus = {name: kendall(rows[name].to_numpy(), y, groups, weights) for name in (metric, *rivals)}
    own, ranking = taus[metric], [name for name in rivals if math.isfinite(taus[name][0])]
    if not math.isfinite(own[0]) or not ranking:
        raise NotMeasured(f"{n} models with different {metric}, {target} and {' or '.join(rivals)}")
    found = {}
    for name in ranking:
        gain = sign * own - np.abs(taus[name])
        found[name] = (float(gain[0]), *interval(gain[1:], n, judging.level))
    strongest = min(found, key=lambda name: found[name][0])
    effect, low, high = found[strongest]
    verdicts = {verdict.direction(*entry, math.nan, judging.significance) for entry in found.values()}
    decided = verdict.INCONCLUSIVE if len(verdicts) > 1 else verdicts.pop()
    if verdict.NOT_SUPPORTED in verdicts:
        decided = verdict.NOT_SUPPORTED
    equal = ", ".join(name for name in ranking if found[name][0] <= 0)
    idle = ", ".join(name for name in rivals if name not in ranking)
    reason = (
        f"tau of {metric} and {target} is {number(own[0])}, {number(abs(effect))} {'more' if effect > 0 else 'less'} "
        f"than |tau| of the strongest rival {strongest} ({bounds(low, high, judging.level)}) over {n} models"
    )
    reason += f"; no better than {equal}" if equal else ""
    reason += f"; the same for all models: {idle}" if idle else ""
    reason += f"; a comparison needs {FEWEST} models" if n < FEWEST else ""
    return Evidence(decided, reason, effect, low, high, n=n)


def _sign(expected: str) -> int:
    try:
        return {"positive": 1, "negative": -1}[expected]
    except KeyError:
        raise InputError(f"expected: {expected!r} is neither positive nor negative") from None


def _orders(rows: pd.DataFrame) -> int:
    """Number of orders of the models within their series."""
    return math.prod(math.factorial(size) for size in rows.groupby("series").size())


def _directed(
    sign: int, effect: float, low: float, high: float, p: float, n: float, judging: Judging, what: str, more: str = ""
) -> Evidence:
    """Evidence on a rank correlation of the expected sign."""
    oriented = sorted((sign * low, sign * high)) if math.isfinite(low) else (low, high)
    decided = verdict.direction(sign * effect, *oriented, p, judging.significance)
    reason = (
        f"{what} is {number(effect)} ({bounds(low, high, judging.level)}, p = {number(p)}) over {int(n)} models{more}"
    )
    return Evidence(decided, reason, float(effect), float(low), float(high), float(p), int(n))
