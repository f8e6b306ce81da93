"""All measures of one spectrum; of its tail fit they need α and where the tail begins."""

from collections.abc import Mapping
from math import nan, sqrt
from typing import Any

import numpy as np

from htsr.metrics import norms, ranks
from htsr.metrics.erg import erg_gap, erg_tail
from htsr.metrics.phase import RULES, Evidence, PhaseRules, judge_phase, sphericity, zero_share
from htsr.metrics.traps import correlation_traps
from htsr.spectra import rigidity
from htsr.spectra.left_edge import count_below
from htsr.spectra.marchenko_pastur import Bulk, fit_bulk
from htsr.spectra.spacings import spacing_ratio
from htsr.spectra.spectrum import Spectrum
from htsr.spectra.tracy_widom import largest_eigenvalue

_TW1_STD = 1.268  # standard deviation of the Tracy-Widom law

COLUMNS = (
    *("layer", "kind", "n", "m", "q", "lambda_max", "lambda_plus", "lambda_plus_stderr", "sigma_mp", "sigma_mp_stderr"),
    *("n_spikes", "edge_p", "mass_beyond", "mass_beyond_stderr", "energy_beyond", "energy_beyond_stderr"),
    *("mp_softrank", "mp_ks", "mp_p", "bulk_z", "n_below", "left_ks", "left_p"),
    *("spacing_ratio", "spacing_ratio_stderr", "spacing_p", "n_traps", "trap_p", "erg_n", "erg_lambda", "erg_gap"),
    *("stable_rank", "stable_rank_null", "stable_rank_null_std", "matrix_rank", "entropy", "entropy_null"),
    *("entropy_null_std", "log_norm", "log_spectral_norm", "log_stable_rank"),
    *("log_alpha_norm", "alpha_weighted", "phase", "phase_confidence", "status"),
)


def measure(
    spectrum: Spectrum, fit: Mapping[str, Any], spike_level: float = 0.99, rules: PhaseRules = RULES
) -> dict[str, Any]:
    """One row of the measures table: the columns of `COLUMNS` that have a value.

    fit: `alpha` and `xmin` of the tail, NaN or absent where there is none (what needs them is NaN then). λ's are in the
    normalization of the spectrum; log_norm and sigma_mp are those of W itself. A pooled spectrum has the λ₊ of its
    single matrices and the Frobenius norm of all of them, but no spacings and no p of its distances from
    Marchenko-Pastur, which are those of one matrix. Fewer than 10 non-zero eigenvalues give no bulk and no phase.
    spike_level: Tracy-Widom quantile of both edges and of the traps; rules: those of `htsr.metrics.phase`.
    """
    row = {"layer": spectrum.name, **{key: getattr(spectrum, key) for key in ("kind", "n", "m", "q", "status")}}
    values = spectrum.eigenvalues
    if spectrum.status != "ok":
        return row
    if not values[-1] > 0:
        return row | {"status": "all eigenvalues are zero"}
    alpha, xmin = (float(fit.get(key, nan)) for key in ("alpha", "xmin"))
    per_gram = norms.per_gram(spectrum)
    log_norm, log_spectral_norm = norms.log_norm(values, per_gram), norms.log_spectral_norm(values)
    erg = erg_tail(values)
    row |= {
        "lambda_max": float(values[-1]),
        "erg_n": erg.number,
        "erg_lambda": erg.smallest,
        "erg_gap": erg_gap(xmin, erg.smallest),
        "stable_rank": ranks.stable_rank(values),
        "matrix_rank": ranks.matrix_rank(values, spectrum.n),
        "entropy": ranks.entropy(values, spectrum.n),
        "log_norm": log_norm,
        "log_spectral_norm": log_spectral_norm,
        "log_stable_rank": ranks.log_stable_rank(log_norm, log_spectral_norm),
        "log_alpha_norm": norms.log_alpha_norm(values, alpha),
        "alpha_weighted": alpha * log_spectral_norm,
        **_complexity_of_null(spectrum),
    }
    to_x = per_gram / spectrum.n
    bulk = fit_bulk(values * to_x, spectrum.n, spectrum.n_matrices, spike_level)
    if bulk is None:
        return row
    lambda_plus = bulk.lambda_plus / to_x
    return row | {
        "lambda_plus": lambda_plus,
        "lambda_plus_stderr": bulk.lambda_plus_stderr / to_x,
        "sigma_mp": sqrt(bulk.sigma2),
        "sigma_mp_stderr": bulk.sigma2_stderr / (2 * sqrt(bulk.sigma2)),
        "n_spikes": bulk.n_spikes,
        "edge_p": bulk.edge_p,
        "mp_softrank": lambda_plus / float(values[-1]),
        **_beyond(values * to_x, bulk),
        **_inside(values * to_x, bulk, spectrum, spike_level, rules),
        **_permuted(spectrum.null * to_x, spectrum, spike_level),
    }


def _beyond(values: np.ndarray, bulk: Bulk) -> dict[str, float]:
    """Shares beyond λ₊ of the eigenvalues and of their sum; standard errors: half of what λ₊ ± its own changes."""
    edges = bulk.lambda_plus + bulk.lambda_plus_stderr * np.array([0, -1, 1])
    first = np.searchsorted(values, edges, side="right")
    below = np.append(0, np.cumsum(values / values[-1]))
    row = {}
    for name, shares in (("mass", 1 - first / len(values)), ("energy", 1 - below[first] / below[-1])):
        row |= {f"{name}_beyond": float(shares[0]), f"{name}_beyond_stderr": float(shares[1] - shares[2]) / 2}
    return row


def _inside(values: np.ndarray, bulk: Bulk, spectrum: Spectrum, level: float, rules: PhaseRules) -> dict[str, Any]:
    """How the eigenvalues of X below the spikes compare with the law of their bulk, and the phase that follows."""
    n, n_matrices = spectrum.n, spectrum.n_matrices
    nonzero = values[values > 0]
    inner = nonzero[: len(nonzero) - bulk.n_spikes]
    rows = n - bulk.n_spikes / n_matrices  # without k spikes: the bulk of an (n - k) x (rank - k) matrix
    single = n_matrices == 1
    left_ks = rigidity.left_distance(inner * (n / rows), rows * n_matrices / len(inner), bulk.sigma2)
    spacings = spacing_ratio(inner if single else inner[:0], n)
    bulk_z = sphericity(inner, rows, n_matrices)
    centre, scale = largest_eigenvalue(n, max(round(len(nonzero) / n_matrices), 1))
    error, width = bulk.lambda_plus_stderr / bulk.lambda_plus, _TW1_STD * scale / centre
    evidence = Evidence(
        zeros=zero_share(values, n),
        outer=values[values > bulk.threshold * (1 - 5 * (error + width))] / bulk.lambda_plus,
        threshold=bulk.threshold / bulk.lambda_plus,
        size=len(nonzero),
        bulk_z=bulk_z,
        edge_error=error,
        width=width,
    )
    phase, confidence = judge_phase(evidence, rules)
    return {
        "mp_ks": bulk.ks_distance,
        "mp_p": rigidity.p_value(bulk.ks_distance, len(inner)) if single else nan,
        "bulk_z": bulk_z,
        "n_below": count_below(nonzero, bulk.sigma2, n, n_matrices, level),
        "left_ks": left_ks,
        "left_p": rigidity.p_value(left_ks, len(inner), left=True) if single else nan,
        "spacing_ratio": spacings.mean,
        "spacing_ratio_stderr": spacings.stderr,
        "spacing_p": spacings.p_goe,
        "phase": phase,
        "phase_confidence": confidence,
    }


def _permuted(null: np.ndarray, spectrum: Spectrum, level: float) -> dict[str, float]:
    traps = correlation_traps(null, spectrum.n, spectrum.n_matrices, level)
    return {"n_traps": traps.number, "trap_p": traps.p}


def _complexity_of_null(spectrum: Spectrum) -> dict[str, float]:
    """Mean and standard deviation of entropy and stable rank over the permuted matrices."""
    row = {}
    for name, of in (("entropy", lambda v: ranks.entropy(v, spectrum.n)), ("stable_rank", ranks.stable_rank)):
        null = np.array([of(values) for values in spectrum.null])
        row |= {f"{name}_null": float(null.mean())} if len(null) else {}
        row |= {f"{name}_null_std": float(null.std(ddof=1))} if len(null) > 1 else {}
    return row
