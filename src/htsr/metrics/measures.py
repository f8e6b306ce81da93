"""All measures of one spectrum that need no tail fit but its α."""

from math import sqrt
from typing import Any

from htsr.metrics import norms, ranks
from htsr.metrics.phase import phase
from htsr.spectra.marchenko_pastur import fit_bulk
from htsr.spectra.spectrum import Spectrum

COLUMNS = (
    *("layer", "kind", "n", "m", "q", "lambda_max", "lambda_plus", "sigma_mp", "sigma_mp_stderr", "n_spikes"),
    *("mp_softrank", "stable_rank", "matrix_rank", "entropy", "log_norm", "log_spectral_norm", "log_stable_rank"),
    *("log_alpha_norm", "alpha_weighted", "phase", "status"),
)


def measure(spectrum: Spectrum, alpha: float, spike_level: float = 0.99, **thresholds: float) -> dict[str, Any]:
    """One row of the measures table: the columns of `COLUMNS` that have a value.

    alpha: exponent of the tail, NaN where there is none (what needs it is NaN then). λ's are in the normalization of
    the spectrum; log_norm and sigma_mp are those of W itself. A pooled spectrum has the λ₊ of its single matrices
    and the Frobenius norm of all of them. Fewer than 10 non-zero eigenvalues give no bulk and no phase.
    thresholds: those of `htsr.metrics.phase.phase`.
    """
    row = {"layer": spectrum.name, **{key: getattr(spectrum, key) for key in ("kind", "n", "m", "q", "status")}}
    values = spectrum.eigenvalues
    if spectrum.status != "ok":
        return row
    if not values[-1] > 0:
        return row | {"status": "all eigenvalues are zero"}
    per_gram = norms.per_gram(spectrum)
    log_norm, log_spectral_norm = norms.log_norm(values, per_gram), norms.log_spectral_norm(values)
    row |= {
        "lambda_max": float(values[-1]),
        "stable_rank": ranks.stable_rank(values),
        "matrix_rank": ranks.matrix_rank(values, spectrum.n),
        "entropy": ranks.entropy(values, spectrum.n),
        "log_norm": log_norm,
        "log_spectral_norm": log_spectral_norm,
        "log_stable_rank": ranks.log_stable_rank(log_norm, log_spectral_norm),
        "log_alpha_norm": norms.log_alpha_norm(values, alpha),
        "alpha_weighted": alpha * log_spectral_norm,
    }
    to_x = per_gram / spectrum.n
    bulk = fit_bulk(values * to_x, spectrum.n, spectrum.n_matrices, spike_level)
    if bulk is None:
        return row
    lambda_plus = bulk.lambda_plus / to_x
    return row | {
        "lambda_plus": lambda_plus,
        "sigma_mp": sqrt(bulk.sigma2),
        "sigma_mp_stderr": bulk.sigma2_stderr / (2 * sqrt(bulk.sigma2)),
        "n_spikes": bulk.n_spikes,
        "mp_softrank": lambda_plus / float(values[-1]),
        "phase": phase(values, lambda_plus, bulk.n_spikes, **thresholds),
    }
