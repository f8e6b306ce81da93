"""One row of numbers for one spectrum: the power law of its tail, its rivals, its uncertainty and its null."""

import math
import zlib
from dataclasses import asdict
from typing import Any

import numpy as np

from htsr.spectra.spectrum import Spectrum
from htsr.tails.bootstrap import alpha_interval, goodness_of_fit
from htsr.tails.power_law import POWERLAW_PACKAGE, Rule, fit_power_law, hill, usable
from htsr.tails.rivals import compare

COLUMNS = [
    *("layer", "kind", "n", "m", "q", "n_eigenvalues"),
    *("alpha", "alpha_stderr", "alpha_low", "alpha_high", "xmin", "xmax", "ks_distance", "n_tail", "p_value"),
    *("alpha_hill", "tpl_alpha", "tpl_lambda", "lognormal_mu", "lognormal_sigma", "exponential_lambda"),
    *("tpl_ratio", "tpl_p", "lognormal_ratio", "lognormal_p", "exponential_ratio", "exponential_p", "best_fit"),
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
    drop_smallest, min_eigenvalue: see `usable`. bootstrap: resamples for the interval, and as many for p_value.
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
    low, high = alpha_interval(x, rule, bootstrap, rng)
    null = [fit_power_law(usable(v, spectrum.n, drop_smallest, min_eigenvalue), rule).alpha for v in spectrum.null]
    return {
        **row,
        **asdict(fit),
        "alpha_low": low,
        "alpha_high": high,
        "p_value": goodness_of_fit(x, fit, rule, bootstrap, rng),
        "alpha_hill": hill(x),
        **compare(x[x >= fit.xmin], fit.xmin, fit.alpha),
        **compare_with_null(fit.alpha, null),
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
