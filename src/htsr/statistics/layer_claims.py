"""Claims about layers of all models: shares of matrices, and relations between their measures.

Matrices of one layer, and layers of one model, are alike: intervals resample models, then layers within models. They
therefore need at least `resampling.FEWEST` models.
"""

import math

import numpy as np
import pandas as pd
from scipy import stats

from htsr.errors import InputError
from htsr.metrics.null import null_alphas
from htsr.statistics import verdict
from htsr.statistics.correlation import kendall, permutation_p
from htsr.statistics.evidence import Judging, NotMeasured, Tables, bounds, layers_with, least_p, number
from htsr.statistics.resampling import FEWEST, exceedance, interval, sign_flips, two_stage_weights
from htsr.statistics.verdict import Evidence

LAYER = ["series", "model", "weight_layer"]


def share_in_range(
    tables: Tables, judging: Judging, column: str, low: float, high: float, threshold: float = 0.5
) -> Evidence:
    """Fraction: column lies in [low, high] for more than the threshold of all matrices.

    Where the table has `<column>_null_all`, the reason also says what share of the permuted matrices lies there.
    """
    rows = layers_with(tables, [column])
    share, evidence = _share(rows, rows[column].between(low, high), judging, threshold)
    text = f"{100 * share:.0f} % of {len(rows)} matrices have {column} in {number(low)} to {number(high)}"
    return evidence(text, _null_share(rows, column, low, high))


def share_beyond_null(
    tables: Tables, judging: Judging, column: str, level: float = 0.1, threshold: float = 0.5
) -> Evidence:
    """Fraction: `<column>_null_p`, two-sided, is at most `level` for more than the threshold of all matrices.

    K permutations give no p below 2/(K + 1), so matrices with fewer than 2/level - 1 are left out.
    """
    rows = layers_with(tables, [column, f"{column}_null_p", "n_null"])
    most = int(rows["n_null"].max())
    rows = rows[rows["n_null"] >= 2 / level - 1]
    if rows.empty:
        raise NotMeasured(f"{most} permutations a matrix cannot give p = {number(level)}")
    share, evidence = _share(rows, rows[f"{column}_null_p"] <= level, judging, threshold)
    return evidence(
        f"{100 * share:.0f} % of {len(rows)} matrices have a {column} that differs from that of their own permuted "
        f"entries (p <= {number(level)}; by chance {number(100 * level)} %)"
    )


def share_close(
    tables: Tables, judging: Judging, first: str, second: str, tolerance: float, threshold: float = 0.5
) -> Evidence:
    """Fraction: two columns differ by at most the tolerance for more than the threshold of all matrices."""
    rows = layers_with(tables, [first, second])
    difference = (rows[first] - rows[second]).to_numpy()
    share, evidence = _share(rows, np.abs(difference) <= tolerance, judging, threshold)
    return evidence(
        f"{100 * share:.0f} % of {len(rows)} matrices have {first} and {second} within {number(tolerance)} of each "
        "other",
        f"; median difference {number(np.median(difference))}",
    )


def share_among(
    tables: Tables, judging: Judging, column: str, values: list, threshold: float = 0.5, kind: str = ""
) -> Evidence:
    """Fraction: column is one of the values for more than the threshold of all matrices, or of those of one kind.

    Claims of this form are about networks of some size; the reason gives that of the networks judged on.
    """
    rows = layers_with(tables, [column, "kind"] if kind else [column])
    rows = rows[rows["kind"] == kind].reset_index(drop=True) if kind else rows
    if rows.empty:
        raise NotMeasured(f"no layer of kind {kind} has {column}")
    share, evidence = _share(rows, rows[column].isin(values), judging, threshold)
    counts = rows[column].value_counts(sort=False).sort_values(ascending=False, kind="stable")
    found = ", ".join(f"{value} {100 * count / len(rows):.0f} %" for value, count in counts.items())
    return evidence(
        f"{100 * share:.0f} % of {len(rows)} matrices{f' of kind {kind}' if kind else ''} have {column} "
        f"{' or '.join(map(str, values))}",
        f"; {found}{_sizes(tables, rows)}",
    )


def mean_has_sign(
    tables: Tables, judging: Judging, column: str, expected: str = "positive", reference: str = ""
) -> Evidence:
    """Direction: the mean of column, less that of the reference column where one is named, is positive (negative).

    The mean is over models of the means over their matrices. p: signs of whole models flipped; interval: models
    resampled, then layers within models.
    """
    if expected not in ("positive", "negative"):
        raise InputError(f"expected: {expected!r} is neither positive nor negative")
    columns = [column, *([reference] if reference else [])]
    rows = layers_with(tables, columns)
    rows["difference"] = rows[column] - rows[reference] if reference else rows[column]
    layers = rows.groupby(LAYER, sort=False)["difference"].agg(["sum", "size"]).reset_index()
    models = _models(layers)
    count, rng = models.max() + 1, judging.rng("sign", column, reference)
    weights = np.vstack([np.ones(len(layers)), two_stage_weights(rng, models, judging.resamples)])
    drawn = _mean_of_models(layers, models, weights)
    effect, (low, high) = float(drawn[0]), interval(drawn[1:], count, judging.level)
    means = rows.groupby(["series", "model"], sort=False)["difference"].mean().to_numpy()
    flips, exact = sign_flips(rng, count, judging.resamples)
    p = exceedance(np.abs(flips @ means), abs(means.sum()), exact)
    side = 1 if expected == "positive" else -1
    oriented = sorted((side * low, side * high)) if math.isfinite(low) else (low, high)
    decided = verdict.direction(side * effect, *oriented, p, judging.significance)
    what = f"mean of {column} less {reference}" if reference else f"mean {column}"
    reason = (
        f"{what} is {number(effect)} ({bounds(low, high, judging.level)}, p = {number(p)}) over {len(rows)} matrices "
        f"of {count} models; {expected} in {100 * np.mean(side * rows['difference'] > 0):.0f} % of the matrices"
        f"{_sizes(tables, rows)}{least_p(2**count, judging.significance)}"
    )
    return Evidence(decided, reason, effect, low, high, p, len(rows))


def layers_ranked_alike(tables: Tables, judging: Judging, first: str, second: str) -> Evidence:
    """Direction: two columns rank the layers of a model alike.

    Kendall's τ-b over pairs of layers of the same model (means over a layer's matrices), p under permutations of the
    layers within models. Layers in the same place of related models are not independent: p takes them as such.
    """
    rows = layers_with(tables, [first, second]).groupby(LAYER, sort=False)[[first, second]].mean().reset_index()
    models = _models(rows)
    x, y, n = rows[first].to_numpy(), rows[second].to_numpy(), len(rows)
    tau = float(kendall(x, y, models)[0])
    if not math.isfinite(tau):
        raise NotMeasured(f"no model has two layers with different {first} and {second}")
    rng = judging.rng(first, second)
    drawn = kendall(x, y, models, two_stage_weights(rng, models, judging.resamples))
    low, high = interval(drawn, models.max() + 1, judging.level)
    p, _ = permutation_p(x, y, models, rng, judging.resamples)
    reason = (
        f"tau of {first} and {second} over layers of the same model is {number(tau)} "
        f"({bounds(low, high, judging.level)}, p = {number(p)}) over {n} layers of {models.max() + 1} models"
    )
    decided = verdict.direction(tau, low, high, p, judging.significance)
    return Evidence(decided, reason, tau, low, high, p, n)


def _mean_of_models(layers: pd.DataFrame, models: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over models of their means over matrices, for every row of weights (B, layers): (B).

    A model that was drawn k times weighs k times: its layers' weights sum to k times their number.
    """
    member = (models[:, None] == np.unique(models)).astype(float)
    sums, sizes = ((weights * layers[name].to_numpy(float)) @ member for name in ("sum", "size"))
    copies = (weights @ member) / member.sum(0)
    means = np.divide(sums, sizes, out=np.zeros_like(sums), where=sizes > 0)
    return (copies * means).sum(1) / copies.sum(1)


def _sizes(tables: Tables, rows: pd.DataFrame) -> str:
    """How large the networks are whose layers these are, as far as the table of models knows."""
    if "n_parameters" not in tables.models:
        return ""
    known = tables.models.merge(rows[["series", "model"]].drop_duplicates(), on=["series", "model"])["n_parameters"]
    known = known.dropna()
    if known.empty:
        return ""
    least, most = (f"{round(size):,}".replace(",", " ") for size in (known.min(), known.max()))
    return f"; in networks of {least} {f'to {most} ' if most != least else ''}parameters"


def _models(rows: pd.DataFrame) -> np.ndarray:
    return rows.groupby(["series", "model"], sort=False).ngroup().to_numpy()


def _share(rows: pd.DataFrame, hits: pd.Series | np.ndarray, judging: Judging, threshold: float):
    """Share of hits among the rows, and a function that puts a sentence on it into evidence."""
    layers = rows[LAYER].assign(hits=np.asarray(hits, float)).groupby(LAYER, sort=False)["hits"]
    layers = layers.agg(["sum", "size"]).reset_index()
    models = _models(layers)
    weights = two_stage_weights(judging.rng("share"), models, judging.resamples)
    drawn = (weights @ layers["sum"].to_numpy()) / (weights @ layers["size"].to_numpy())
    share, count = float(np.mean(hits)), models.max() + 1
    low, high = interval(drawn, count, judging.level)
    if count >= FEWEST and share in (0.0, 1.0):
        low, high = _unanimous(share, len(layers), judging.level)
    within = (
        "no interval"
        if not math.isfinite(low)
        else f"{judging.level * 100:g} % interval {100 * low:.0f} to {100 * high:.0f} %"
    )
    text = f"({within}, {count} models)"
    few = f"; an interval needs {FEWEST} models" if count < FEWEST else ""

    def evidence(sentence: str, more: str = "") -> Evidence:
        decided = verdict.fraction(low, high, threshold)
        return Evidence(decided, f"{sentence} {text}{more}{few}", share, low, high, n=len(rows))

    return share, evidence


def _unanimous(share: float, n: int, level: float) -> tuple[float, float]:
    """Clopper-Pearson interval of a share that is 0 or 1 in all of n layers, where resamples cannot differ."""
    result = stats.binomtest(round(share * n), n).proportion_ci(level)
    return float(result.low), float(result.high)


def _null_share(rows: pd.DataFrame, column: str, low: float, high: float) -> str:
    """What share of the permuted matrices has an exponent in the range; every matrix weighs the same."""
    if f"{column}_null_all" not in rows or rows[f"{column}_null_all"].isna().all():
        return ""
    inside = null_alphas(rows).between(low, high).groupby(level=0).mean().mean()
    return f"; of the same entries in random order {100 * inside:.0f} % do"
