"""How well a metric of the weights predicts accuracy: least squares and rank correlations, within and over series.

Over several series every number is *within* series: the line has one intercept a series (fixed effects), and only
models of one series are ranked against each other.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.regression.linear_model import OLS

from htsr.statistics import correlation as rank
from htsr.statistics.metrics_table import GAP, POOLED, TARGETS, metric_columns, series_codes, usable
from htsr.statistics.resampling import FEWEST, blocks, bootstrap_weights, check, exceedance, generator, interval

CONTROLS = ("depth", "log_norm")
"""What is taken out before the partial correlations."""

COLUMNS = (
    *("series", "metric", "target", "n", "slope", "slope_low", "slope_high", "intercept", "r2", "r2_low", "r2_high"),
    *("rmse", "loo_rmse", "kendall_tau", "kendall_low", "kendall_high", "kendall_p"),
    *("spearman", "spearman_low", "spearman_high", "spearman_p"),
    *("partial_r", "partial_r_low", "partial_r_high", "partial_r_p"),
    *("partial_tau", "partial_tau_low", "partial_tau_high", "partial_tau_p", "status"),
)


@dataclass(frozen=True)
class Sampling:
    """Number of bootstrap and permutation resamples, level of the intervals, seed."""

    resamples: int = 2000
    level: float = 0.95
    seed: int = 0


def regress(table: pd.DataFrame, sampling: Sampling = Sampling()) -> pd.DataFrame:
    """One row (COLUMNS) for every series and for all of them pooled, for every metric and target
    (error, accuracy, and gap where the table has it).

    table: checked by `metrics_table.combine`. Models without the metric or the target are left out, series with a
    single model left also where they are pooled; n counts the rest. `status` is "ok" or says what is missing and why.
    Raises InputError for impossible settings.
    """
    check(sampling.resamples, sampling.level)
    series = list(dict.fromkeys(table["series"]))
    targets = [*TARGETS, *([GAP] if GAP in table and table[GAP].notna().any() else [])]
    rows = []
    for name in (*series, POOLED) if len(series) > 1 else series:
        chosen = table if name == POOLED else table[table["series"] == name]
        for metric in metric_columns(table):
            for target in targets:
                # Not keyed by the target: error and accuracy then mirror each other.
                rng = generator(sampling.seed, *(series if name == POOLED else [name]), metric)
                row = _regress(chosen, metric, target, sampling, rng)
                rows.append({"series": name, "metric": metric, "target": target, **row})
    if len(series) == 1:
        rows += [{**row, "series": POOLED} for row in rows]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _regress(table: pd.DataFrame, metric: str, target: str, sampling: Sampling, rng: np.random.Generator) -> dict:
    rows = usable(table, [metric, target])
    x, y, groups = rows[metric].to_numpy(), rows[target].to_numpy(), series_codes(rows)
    n = len(rows)
    if n - len(set(groups)) < 2:
        return {"n": n, "status": f"{n} models: too few for a line"}
    for values, name in ((x, metric), (y, target)):
        if constant(values, groups):
            return {"n": n, "status": f"{name} is the same for all models"}
    weights = bootstrap_weights(rng, groups, sampling.resamples)
    row, notes = {"n": n, **line(x, y, groups)}, []
    slopes, r = slope_and_r(x, y, groups, weights)
    row |= _named("slope", interval(slopes, n, sampling.level)) | _named("r2", squared(interval(r, n, sampling.level)))
    if n < FEWEST:
        row |= _named("slope", student(x, y, groups, sampling.level))
        notes.append(f"{n} models: interval of the slope from Student's t, none for the rest")
    row["kendall_p"], row["spearman_p"] = rank.permutation_p(x, y, groups, rng, sampling.resamples)
    for name, column, statistic in (("kendall", "kendall_tau", rank.kendall), ("spearman", "spearman", rank.spearman)):
        row[column] = float(statistic(x, y, groups)[0])
        row |= _named(name, interval(statistic(x, y, groups, weights), n, sampling.level))
    without = [name for name in ("slope", "r2", "kendall", "spearman") if math.isnan(row[f"{name}_low"])]
    if n >= FEWEST and without:
        notes.append(f"no interval of {', '.join(without)}: the resamples agree")
    values, note = _partial(rows, metric, target, sampling, rng)
    notes += [note] if note else []
    return row | values | {"status": "; ".join(notes) or "ok"}


def _named(name: str, bounds: tuple[float, float]) -> dict[str, float]:
    return {f"{name}_low": bounds[0], f"{name}_high": bounds[1]}


def constant(values: np.ndarray, groups: np.ndarray) -> bool:
    """Whether the values are the same, up to rounding, within every group."""
    scale = np.abs(values).max(initial=0.0)
    return all(np.ptp(values[block]) <= 1e-12 * scale for block in blocks(groups))


def _design(groups: np.ndarray) -> np.ndarray:
    """One column of zeros and ones a group."""
    return (groups[:, None] == np.unique(groups)).astype(float)


def line(x: np.ndarray, y: np.ndarray, groups: np.ndarray) -> dict[str, float]:
    """Ordinary least squares y = slope·x + intercept of the group.

    intercept: mean over the units; r2: share of the variance within groups; rmse = √(SSR/n) as in Martin, Peng,
    Mahoney 2021; loo_rmse: error of predicting each unit from the others, residual/(1 - leverage), NaN where
    leaving a unit out leaves no line.
    """
    fit = OLS(y, np.column_stack([x, _design(groups)])).fit()
    one = np.ones((1, len(x)))
    left = 1 - fit.get_influence().hat_matrix_diag
    loo = math.sqrt(np.mean((fit.resid / left) ** 2)) if left.min() > 1e-9 else math.nan
    return {
        "slope": float(fit.params[0]),
        "intercept": float(y.mean() - fit.params[0] * x.mean()),
        "r2": float(1 - fit.ssr / np.sum(rank.centred(y, groups, one) ** 2)),
        "rmse": math.sqrt(fit.ssr / len(x)),
        "loo_rmse": loo,
    }


def student(x: np.ndarray, y: np.ndarray, groups: np.ndarray, level: float) -> tuple[float, float]:
    """Interval of the slope under normal errors."""
    low, high = OLS(y, np.column_stack([x, _design(groups)])).fit().conf_int(1 - level)[0]
    return float(low), float(high)


def squared(bounds: tuple[float, float]) -> tuple[float, float]:
    """Interval of r² from that of r: resampled r² alone would never reach 0."""
    low, high = sorted(bound**2 for bound in bounds)
    return (0.0 if bounds[0] <= 0 <= bounds[1] else low), high


def slope_and_r(x: np.ndarray, y: np.ndarray, groups: np.ndarray, weights: np.ndarray):
    """Slope and Pearson r within groups for every row of weights (B, n): two arrays (B), NaN if x or y is constant."""
    cx, cy = rank.centred(x, groups, weights), rank.centred(y, groups, weights)
    sxx, syy = (weights * cx * cx).sum(1), (weights * cy * cy).sum(1)
    sxx, syy = (np.where(s > 1e-20 * v @ v, s, 0.0) for s, v in ((sxx, x), (syy, y)))
    sxy = (weights * cx * cy).sum(1)
    return rank.ratio(sxy, sxx), rank.ratio(sxy, np.sqrt(sxx * syy))


def residuals(values: np.ndarray, controls: np.ndarray, groups: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What is left of values (n) or (B, n) after least squares on controls (n, c) and one intercept a group.

    One fit for every row of weights (B, n): (B, n). A row is NaN where its controls do not have full rank.
    """
    scaled = np.stack([rank.centred(c / np.abs(c).max(), groups, weights) for c in controls.T], axis=2)
    rest = rank.centred(values, groups, weights)
    weighted = np.swapaxes(weights[:, :, None] * scaled, 1, 2)
    gram = weighted @ scaled
    spread = np.linalg.eigvalsh(gram)
    singular = spread[:, 0] <= 1e-10 * spread[:, -1]
    gram[singular] = np.eye(controls.shape[1])
    coefficients = np.linalg.solve(gram, weighted @ rest[:, :, None])
    rest = rest - (scaled @ coefficients)[:, :, 0]
    rest[singular] = np.nan
    return rest


def _partial(rows: pd.DataFrame, metric: str, target: str, sampling: Sampling, rng) -> tuple[dict, str]:
    """Correlations of metric and target after taking out CONTROLS and the series (Frisch and Waugh 1933).

    p of the partial r: Student's t, as for the metric's coefficient in the regression on all. p of the partial τ:
    under normal errors the residuals of the target have a uniformly random direction within their space, so those
    of random normal targets give its null distribution for any n (rotation test: Langsrud 2005, Stat. Comput. 15).
    """
    absent = [name for name in CONTROLS if name not in rows]
    if metric in CONTROLS:
        return {}, f"no partial correlation: {metric} is itself taken out"
    if absent:
        return {}, f"no partial correlation: no column {' and '.join(absent)}"
    rows = usable(rows, list(CONTROLS))
    groups, n = series_codes(rows), len(rows)
    freedom = n - len(set(groups)) - len(CONTROLS) - 1
    if freedom < 1:
        return {}, f"no partial correlation: {n} models leave nothing after taking out {' and '.join(CONTROLS)}"
    for name in CONTROLS:
        if constant(rows[name].to_numpy(), groups):
            return {}, f"no partial correlation: {name} is the same for all models"
    x, y, controls = rows[metric].to_numpy(), rows[target].to_numpy(), rows[list(CONTROLS)].to_numpy()
    one = np.ones((1, n))
    left_x, left_y = residuals(x, controls, groups, one), residuals(y, controls, groups, one)
    if np.isnan(left_x).any():
        return {}, f"no partial correlation: {' and '.join(CONTROLS)} are proportional"
    for left, values, name in ((left_x, x, metric), (left_y, y, target)):
        spread = np.linalg.norm(rank.centred(values, groups, one))
        if not np.linalg.norm(left) > 1e-8 * spread:
            return {}, f"no partial correlation: {' and '.join(CONTROLS)} leave nothing of {name}"
    r = float(rank.correlation(left_x, left_y, one)[0])
    tau = float(rank.kendall(left_x[0], left_y[0], groups)[0])
    basis = np.linalg.qr(np.column_stack([_design(groups), controls])).Q
    random = rng.standard_normal((sampling.resamples, n))
    random -= (random @ basis) @ basis.T
    weights = bootstrap_weights(rng, groups, sampling.resamples)
    # A resample of too few different models leaves residuals on a line: no information.
    weights = weights[(weights > 0).sum(1) > n - freedom]
    drawn_x, drawn_y = (residuals(values, controls, groups, weights) for values in (x, y))
    drawn_r = rank.correlation(drawn_x, drawn_y, weights)
    drawn_tau = rank.kendall_rows(drawn_x, drawn_y, groups, weights)
    lost = np.full(sampling.resamples - len(weights), np.nan)
    bounds_r, bounds_tau = (interval(np.append(v, lost), n, sampling.level) for v in (drawn_r, drawn_tau))
    row = {
        "partial_r": r,
        "partial_r_p": float(2 * stats.t.sf(abs(r) * math.sqrt(freedom / max(1 - r * r, 1e-300)), freedom)),
        "partial_tau": tau,
        "partial_tau_p": exceedance(np.abs(rank.kendall_rows(left_x[0], random, groups)), abs(tau), exact=False),
        **_named("partial_r", bounds_r),
        **_named("partial_tau", bounds_tau),
    }
    return row, "" if math.isfinite(bounds_r[0]) else f"{n} models: no interval of the partial correlations"
