"""One row of numbers for one spectrum: the power law of its tail, its rivals, its uncertainty and its null."""

import math
import zlib
from dataclasses import asdict
from typing import Any

import numpy as np

from htsr.spectra.spectrum import Spectrum
from htsr.tails.bootstrap import alpha_interval, goodness_of_fit, resampled_fits
from htsr.tails.bounded import fit_bounded
from htsr.tails.estimators import kernel_path, moments_path
from htsr.tails.power_law import POWERLAW_PACKAGE, Rule, fit_power_law, hill, usable
from htsr.tails.rivals import compare

COLUMNS = [
    *("layer", "kind", "n", "m", "q", "n_eigenvalues"),
    *("alpha", "alpha_stderr", "alpha_low", "alpha_high", "xmin", "xmax", "ks_distance", "n_tail", "p_value"),
    *("alpha_hill", "alpha_farms", "alpha_moments", "alpha_moments_stderr", "alpha_kernel", "alpha_kernel_stderr"),
    *("alpha_bounded", "alpha_bounded_stderr", "xmin_bounded"),
    *("tpl_alpha", "tpl_lambda", "lognormal_mu", "lognormal_sigma", "exponential_lambda"),
    *("stretched_lambda", "stretched_beta", "tpl_ratio", "tpl_p", "lognormal_ratio", "lognormal_p"),
    *("exponential_ratio", "exponential_p", "stretched_ratio", "stretched_p", "best_fit"),
    *("alpha_null", "alpha_null_std", "alpha_null_z", "alpha_null_p", "n_null", "alpha_null_all", "status"),
]


def fit_spectrum(
    spectrum: Spectrum,
    backend: str = "exact",
    ks: str = "two_sided",
    min_tail: int = 10,
    cut_at_xmax: bool = False,
    drop_smallest: int = 0,
    min_eigenvalue: float = 0.0,
    bootstrap: int = 200,
    seed: int = 0,
) -> dict[str, Any]:
    """All `COLUMNS` of one spectrum; where it cannot be fitted, `status` says why and the numbers are absent.

    backend: see `fit_power_law`; ks, min_tail, cut_at_xmax: see `Rule`. With `backend` powerlaw, the resamples and the
    null are fitted by the exact search under that package's rule, where both agree.
    drop_smallest, min_eigenvalue: see `usable`. bootstrap: resamples, the same ones for the interval and p_value.
    Seeded by (seed, the spectrum's name).
    """
    row = {"layer": spectrum.name, **{key: getattr(spectrum, key) for key in ("kind", "n", "m", "q", "status")}}
    if spectrum.status != "ok":
        return row
    x = usable(spectrum.eigenvalues, spectrum.n, drop_smallest, min_eigenvalue)
    row["n_eigenvalues"] = len(x)
    if len(x) == 0:
        row["status"] = "all eigenvalues are zero" if not np.any(spectrum.eigenvalues) else "no eigenvalue left to fit"
        return row
    rule = POWERLAW_PACKAGE if backend == "powerlaw" else Rule(ks, min_tail, cut_at_xmax)
    fit = fit_power_law(x, rule, backend)
    row["status"] = fit.status
    if fit.status != "ok":
        return row
    rng = np.random.default_rng([seed, zlib.crc32(spectrum.name.encode())])
    alphas, distances = resampled_fits(x, fit, rule, bootstrap, rng)
    low, high = alpha_interval(fit.alpha, alphas)
    null = [fit_power_law(usable(v, spectrum.n, drop_smallest, min_eigenvalue), rule).alpha for v in spectrum.null]
    return {
        **row,
        **asdict(fit),
        "alpha_low": low,
        "alpha_high": high,
        "p_value": goodness_of_fit(fit.ks_distance, distances),
        "alpha_hill": hill(x),
        "alpha_farms": hill(usable(spectrum.windows, spectrum.n)),
        **estimate(x, fit.n_tail, rule),
        **compare(x[x >= fit.xmin], fit.xmin, fit.alpha),
        **compare_with_null(fit.alpha, null),
    }


def estimate(x: np.ndarray, n_tail: int, rule: Rule) -> dict[str, float]:
    """Other estimates of α with their standard errors, which take the choice of the tail for given.

    alpha_moments, alpha_kernel: from the power law's tail, its smallest value being the threshold (the double bootstrap
    of `htsr.tails.estimators.choose_k` would find a k of their own, at several times the cost of the whole row).
    alpha_bounded, xmin_bounded: of the law that ends at the largest value, fitted to a tail of its own.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        moments, kernel = (path(x[-n_tail:]).at(n_tail - 1) for path in (moments_path, kernel_path))
    bounded = fit_bounded(x, rule)
    return {
        "alpha_moments": moments.alpha,
        "alpha_moments_stderr": moments.stderr,
        "alpha_kernel": kernel.alpha,
        "alpha_kernel_stderr": kernel.stderr,
        "alpha_bounded": bounded.alpha,
        "alpha_bounded_stderr": bounded.alpha_stderr,
        "xmin_bounded": bounded.xmin,
    }


def compare_with_null(alpha: float, null: list[float]) -> dict[str, Any]:
    """Where alpha stands among those of element-wise permutations of the matrix (NaN: could not be fitted, left out).

    n_null: their number K; alpha_null, alpha_null_std: mean and standard deviation; alpha_null_z = (alpha - mean)/std.
    alpha_null_p: twice the smaller of (1 + #{null <= alpha})/(1 + K) and (1 + #{null >= alpha})/(1 + K), at most 1: the
    two-sided permutation test, which has no p below 2/(1 + K). alpha_null_all: all K, separated by spaces.
    """
    null = np.array([a for a in null if math.isfinite(a)])
    k = len(null)
    mean = float(null.mean()) if k else math.nan
    std = float(null.std(ddof=1)) if k > 1 else math.nan
    fewer = min(np.count_nonzero(null <= alpha), np.count_nonzero(null >= alpha))
    return {
        "alpha_null": mean,
        "alpha_null_std": std,
        "alpha_null_z": (alpha - mean) / std if std > 0 else math.nan,
        "alpha_null_p": float(min(1.0, 2 * (1 + fewer) / (1 + k))) if k else math.nan,
        "n_null": k,
        "alpha_null_all": " ".join(f"{a:.6g}" for a in null) or None,
    }
