"""Claims about random matrices of known law: laws of their spectra, heavy tails, phases.

Every test takes (tables, judging, its arguments) and gives `Evidence`. `where` chooses the matrices: for each column
its value, or a pair [low, high] that it lies strictly between (`evidence.ensembles_with`). The matrices are independent
of each other, and so are intervals and p values; matrices of several shapes and parameters are one sample of that
mixture. Entries of noise have the variance 1, eigenvalues are of X = WᵀW/N.
"""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import stats

from htsr.errors import InputError
from htsr.spectra import marchenko_pastur, spiked, tracy_widom
from htsr.statistics import verdict
from htsr.statistics.evidence import Judging, NotMeasured, Tables, bounds, described, ensembles_with, number
from htsr.statistics.linear_fits import fit_line
from htsr.statistics.resampling import FEWEST
from htsr.statistics.samples import rescaled_edge, tail_exponent
from htsr.statistics.verdict import Evidence

_PARAMETERS = ("law", "n", "m", "signed", "mu", "strength", "spikes", "rank", "kappa")  # what makes matrices alike


def rate_equals(
    tables: Tables, judging: Judging, where: dict, column: str, above: float, rate: float, margin: float
) -> Evidence:
    """Equality: the share of matrices whose column is above a value is the rate, up to the margin.

    Clopper-Pearson interval, p of the exact binomial test of that rate.
    """
    rows = ensembles_with(tables, where, [column])
    hits = (rows[column] > above).to_numpy()
    test = stats.binomtest(int(hits.sum()), len(hits), rate)
    low, high = test.proportion_ci(judging.level)
    reason = (
        f"{100 * hits.mean():.1f} % of {len(hits)} random matrices ({described(where)}) have {column} above "
        f"{number(above)} ({_percent(low, high, judging)}, p = {number(float(test.pvalue))}); expected "
        f"{100 * rate:g} %, margin {100 * margin:g} %{_extremes(rows, hits)}"
    )
    decided = verdict.equality(low - rate, high - rate, margin)
    return Evidence(decided, reason, float(hits.mean()), float(low), float(high), float(test.pvalue), len(hits))


def rate_exceeds(
    tables: Tables, judging: Judging, where: dict, column: str, above: float, threshold: float
) -> Evidence:
    """Fraction: the column is above a value in more than the threshold of all matrices; Clopper-Pearson interval."""
    rows = ensembles_with(tables, where, [column])
    hits = (rows[column] > above).to_numpy()

    def sentence(low: float, high: float) -> str:
        return (
            f"{100 * hits.mean():.1f} % of {len(hits)} random matrices ({described(where)}) have {column} above "
            f"{number(above)} ({_percent(low, high, judging)}){_extremes(rows, hits)}"
        )

    return _fraction(hits, threshold, judging, sentence)


def mean_equals(tables: Tables, judging: Judging, where: dict, column: str, value: float, margin: float) -> Evidence:
    """Equality: the mean of the column is the value, up to the margin; Student's t."""
    rows = ensembles_with(tables, where, [column])
    return _mean(rows, rows[column], value, margin, judging, where, f"mean {column}")


def agrees_with_theory(
    tables: Tables, judging: Judging, where: dict, column: str, theory: str, margin: float
) -> Evidence:
    """Equality: the mean relative deviation of the column from its theory is 0, up to the margin; Student's t.

    theory: one of THEORIES. The reason names the kind of matrices that deviates most.
    """
    if theory not in THEORIES:
        raise InputError(f"theory: {theory!r} is none of {', '.join(THEORIES)}")
    rows = ensembles_with(tables, where, [column])
    deviations = rows[column] / THEORIES[theory](rows) - 1
    if deviations.isna().all():
        raise NotMeasured(f"theory {theory} says nothing of matrices ({described(where)})")
    rows, deviations = rows[deviations.notna()], deviations.dropna()
    return _mean(
        rows,
        deviations,
        0.0,
        margin,
        judging,
        where,
        f"mean relative deviation of {column} from {theory.replace('_', ' ')}",
    )


def follows_law(tables: Tables, judging: Judging, where: dict, law: str, margin: float) -> Evidence:
    """Equality: the distribution function of the largest eigenvalue is that of the law, up to the margin everywhere.

    law: one of LAWS. Effect: the Kolmogorov-Smirnov distance D; interval: D ± √(ln(2/significance)/2n), the band of
    Dvoretzky, Kiefer and Wolfowitz (Massart 1990, Ann. Probab. 18, 1269); p: of no distance at all.
    """
    if law not in LAWS:
        raise InputError(f"law: {law!r} is none of {', '.join(LAWS)}")
    rows = ensembles_with(tables, where, ["lambda_max"])
    uniform = LAWS[law](rows).to_numpy(float)
    if np.isnan(uniform).any():
        raise NotMeasured(f"no law {law} of matrices ({described(where)})")
    n, test = len(rows), stats.kstest(uniform, "uniform")
    distance, band = float(test.statistic), math.sqrt(math.log(2 / judging.significance) / (2 * n))
    low, high = max(0.0, distance - band), min(1.0, distance + band)
    mean, error = uniform.mean(), uniform.std(ddof=1) / math.sqrt(n) if n > 1 else math.nan
    reason = (
        f"the distribution of the largest eigenvalue is {number(distance)} from that of {law} "
        f"({bounds(low, high, judging.level)}, p = {number(float(test.pvalue))}) over {n} random matrices "
        f"({described(where)}); margin {number(margin)}; mean quantile {number(mean)} ± {number(error)} for 0.5"
    )
    return Evidence(verdict.equality(low, high, margin), reason, distance, low, high, float(test.pvalue), n)


def slope_equals(
    tables: Tables, judging: Judging, where: dict, x: str, y: str, value: float, margin: float
) -> Evidence:
    """Equality: the slope of y on x is the value, up to the margin.

    Least squares within shapes N x M, each of which has an intercept of its own; standard errors that allow the scatter
    to vary with x (HC3); Student's t.
    """
    effect, low, high, p, n, text = _slope(tables, judging, where, x, y, value)
    decided = verdict.equality(low - value, high - value, margin)
    return Evidence(decided, f"{text}; expected {number(value)}, margin {number(margin)}", effect, low, high, p, n)


def slope_exceeds(tables: Tables, judging: Judging, where: dict, x: str, y: str, value: float) -> Evidence:
    """Direction: the slope of y on x is steeper than the value; statistics as in `slope_equals`."""
    effect, low, high, p, n, text = _slope(tables, judging, where, x, y, value)
    decided = verdict.direction(effect - value, low - value, high - value, p, judging.significance)
    return Evidence(decided, f"{text}, p against a slope of {number(value)}", effect, low, high, p, n)


def pl_norm_relation(
    tables: Tables, judging: Judging, where: dict, tolerance: float, threshold: float = 0.5, scale: float = 1.0
) -> Evidence:
    """Fraction: log‖W‖_F²/log λmax is within the tolerance of α for more than the threshold of all matrices.

    λmax is of X = WᵀW/N, as in the published figure. Both logarithms depend on the scale of W, α does not: the matrices
    are multiplied by `scale` first, and the reason says for how many the answer is another at unit mean square.
    """
    if not scale > 0:
        raise InputError(f"scale: {scale!r} is not positive")
    rows = ensembles_with(tables, where, ["alpha", "log_norm", "lambda_max"])
    log_square, log_max = 2 * rows["log_norm"], np.log10(rows["lambda_max"])
    unit = np.log10(rows["n"] * rows["m"]) - log_square  # log of the factor of W² that makes its mean 1

    def close(factor: pd.Series | float) -> np.ndarray:
        ratio = (log_square + factor) / (log_max + factor)
        return ((ratio - rows["alpha"]).abs() <= tolerance).to_numpy()

    hits = close(2 * math.log10(scale))

    def sentence(low: float, high: float) -> str:
        return (
            f"{100 * hits.mean():.0f} % of {len(rows)} random matrices ({described(where)}) have log ||W||^2/"
            f"log lambda_max within {number(tolerance)} of alpha ({_percent(low, high, judging)}) at {number(scale)} "
            f"times the scale they are drawn in{_extremes(rows, hits)}; at unit mean square of the entries "
            f"{100 * close(unit).mean():.0f} % have, and for {100 * np.mean(hits != close(unit)):.0f} % the answer is "
            "another"
        )

    return _fraction(hits, threshold, judging, sentence)


def phases_told_apart(tables: Tables, judging: Judging, threshold: float) -> Evidence:
    """Fraction: the rule of phases is right for more than the threshold of the matrices whose phase is known.

    Each phase weighs as many matrices as it has. The reason gives the share of every phase.
    """
    if tables.ensembles is None or "expected_phase" not in tables.ensembles:
        raise NotMeasured("no ensembles of known phase")
    rows = tables.ensembles.dropna(subset=["expected_phase"])
    if rows.empty:
        raise NotMeasured("no ensembles of known phase")
    hits = (rows["phase"] == rows["expected_phase"]).to_numpy()
    shares = pd.Series(hits).groupby(rows["expected_phase"].to_numpy(), sort=False).mean()

    def sentence(low: float, high: float) -> str:
        each = ", ".join(f"{phase} {100 * share:.0f} %" for phase, share in shares.items())
        return (
            f"the phase is right for {100 * hits.mean():.0f} % of {len(hits)} random matrices of known phase "
            f"({_percent(low, high, judging)}): {each}"
        )

    return _fraction(hits, threshold, judging, sentence)


def _frechet(rows: pd.DataFrame) -> pd.Series:
    """Quantile of λmax in the law of the largest squared entry, P(max x² <= y) = (1 - y^(-μ/2))^(NM), Pareto entries.

    For μ < 4 the largest eigenvalue of WᵀW is that of the largest entry in the limit (Soshnikov 2004, Electron. Commun.
    Probab. 9, 82, for μ < 2; Auffinger, Ben Arous, Péché 2009, Ann. Inst. H. Poincaré 45, 589); the law tends to
    Fréchet's of exponent μ/2. NaN for other entries, and for those with a mean.
    """
    square = rows["lambda_max"] * rows["n"]
    log_p = rows["n"] * rows["m"] * np.log1p(-np.minimum(square ** (-rows["mu"] / 2), 1 - 1e-16))
    return np.exp(log_p).where((rows["law"] == "pareto") & (rows["signed"] == True))  # noqa: E712


def _tracy_widom(rows: pd.DataFrame) -> pd.Series:
    """Quantile of λmax in the Tracy-Widom law, for Gaussian entries; NaN for others."""
    quantiles = 1 - tracy_widom.survival(rescaled_edge(rows).to_numpy(float))
    return pd.Series(quantiles, rows.index).where(rows["law"] == "gaussian")


def _spike(rows: pd.DataFrame) -> pd.Series:
    """Position of the largest eigenvalue of one signal in noise; NaN for several, of which it is the greatest."""
    q = rows["q"].to_numpy(float)
    at = spiked.outlier(rows["strength"].to_numpy(float) * spiked.threshold(q), q)
    return pd.Series(at, rows.index).where((rows["law"] == "spiked") & (rows["spikes"] == 1))


def _marchenko_pastur_edge(rows: pd.DataFrame) -> pd.Series:
    return marchenko_pastur.edges(rows["q"])[1]


def _heavy_tail(rows: pd.DataFrame) -> pd.Series:
    return pd.Series([tail_exponent(row) for row in rows.to_dict("records")], rows.index)


_Prediction = Callable[[pd.DataFrame], pd.Series]
THEORIES: dict[str, _Prediction] = {
    "marchenko_pastur_edge": _marchenko_pastur_edge,
    "spike": _spike,
    "heavy_tail": _heavy_tail,
}
LAWS: dict[str, _Prediction] = {"tracy_widom": _tracy_widom, "frechet": _frechet}


def _percent(low: float, high: float, judging: Judging) -> str:
    return f"{judging.level * 100:g} % interval {100 * low:.1f} to {100 * high:.1f} %"


def _fraction(
    hits: np.ndarray, threshold: float, judging: Judging, sentence: Callable[[float, float], str]
) -> Evidence:
    """Evidence on a share of independent matrices."""
    low, high = map(float, stats.binomtest(int(hits.sum()), len(hits)).proportion_ci(judging.level))
    decided = verdict.fraction(low, high, threshold)
    return Evidence(decided, sentence(low, high), float(hits.mean()), low, high, n=len(hits))


def _kinds(rows: pd.DataFrame, values: np.ndarray) -> pd.Series:
    """Mean of values over matrices of one shape and one set of parameters, by these in words."""
    known = [name for name in _PARAMETERS if name in rows and rows[name].nunique() > 1]
    if not known:
        return pd.Series(dtype=float)
    means = pd.Series(np.asarray(values, float), rows.index).groupby([rows[name] for name in known]).mean()
    named = means.reset_index()[known].astype(object)
    means.index = [", ".join(f"{name} = {number(v) if isinstance(v, float) else v}" for name, v in row.items())
                   for row in named.to_dict("records")]  # fmt: skip
    return means


def _extremes(rows: pd.DataFrame, hits: np.ndarray) -> str:
    """The kinds of matrices with the least and the greatest share of hits, where these differ."""
    shares = _kinds(rows, hits)
    if len(shares) < 2 or shares.min() == shares.max():
        return ""
    least, most = shares.idxmin(), shares.idxmax()
    return f"; from {100 * shares.min():.0f} % ({least}) to {100 * shares.max():.0f} % ({most})"


def _mean(
    rows: pd.DataFrame, values: pd.Series, value: float, margin: float, judging: Judging, where: dict, what: str
) -> Evidence:
    """Evidence on the mean of independent values."""
    n, effect = len(values), float(values.mean())
    low = high = p = math.nan
    if n >= FEWEST and values.nunique() > 1:
        low, high = stats.t.interval(judging.level, n - 1, effect, values.sem())
        p = float(stats.ttest_1samp(values, value).pvalue)
    means = _kinds(rows, values)
    far = (means - value).abs().idxmax() if len(means) > 1 else ""
    reason = (
        f"{what} is {number(effect)} ({bounds(low, high, judging.level)}, p = {number(p)} against {number(value)}) "
        f"over {n} random matrices ({described(where)}); margin {number(margin)}"
    )
    reason += f"; farthest where {far}: {number(float(means[far]))}" if far else ""
    reason += f"; an interval needs {FEWEST} matrices" if n < FEWEST else ""
    return Evidence(verdict.equality(low - value, high - value, margin), reason, effect, float(low), float(high), p, n)


def _slope(tables: Tables, judging: Judging, where: dict, x: str, y: str, value: float):
    """Slope of y on x within shapes with interval, p against the value, number of matrices, and a sentence."""
    rows = ensembles_with(tables, where, [x, y])
    shapes = rows.groupby(["n", "m"])
    line = fit_line(*(rows[name] - shapes[name].transform("mean") for name in (x, y)))
    freedom = len(rows) - shapes.ngroups - 1
    if line is None or freedom < 1 or not line.slope_stderr > 0:
        raise NotMeasured(f"too few random matrices of different {x} ({described(where)})")
    low, high = stats.t.interval(judging.level, freedom, line.slope, line.slope_stderr)
    p = float(2 * stats.t.sf(abs(line.slope - value) / line.slope_stderr, freedom))
    means = rows.groupby(x)[y].mean()
    text = (
        f"{y} rises by {number(line.slope)} for each {x} ({bounds(low, high, judging.level)}, p = {number(p)}) over "
        f"{len(rows)} random matrices of {shapes.ngroups} shape{'s' * (shapes.ngroups > 1)} ({described(where)}); "
        f"mean {y} from {number(means.iloc[0])} at {x} = {number(float(means.index[0]))} to "
        f"{number(means.iloc[-1])} at {x} = {number(float(means.index[-1]))}"
    )
    return line.slope, float(low), float(high), p, len(rows), text
