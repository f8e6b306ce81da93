"""Marchenko-Pastur fit of a bulk: ours and weightwatcher's mp_fit in one run, one thread each.

    OMP_NUM_THREADS=1 python benchmarks/fit_bulk.py

Needs weightwatcher. Prints, for matrices of known noise, the largest distance between the fitted law's CDF and that of
the eigenvalues up to its edge, the relative error of σ² (that of λ₊ as well, which is proportional to it), both as
medians over samples; the time for 1024 eigenvalues, and how often the largest eigenvalue of Gaussian noise is
significant. The variance of heavy-tailed entries is partly in entries that are spikes by themselves, beyond (NM)^(1/4)
standard deviations; the errors in parentheses are from the variance of the others.
"""

import statistics
import time
import warnings

import numpy as np
from scipy.linalg import eigvalsh_tridiagonal
from weightwatcher.RMT_Util import fit_density_with_range

from htsr.spectra.eigenvalues import eigenvalues
from htsr.spectra.ensembles import sample
from htsr.spectra.marchenko_pastur import cdf, edges, fit_bulk

ENSEMBLES = (
    ("gaussian", {}, 1.0),
    *(("spiked", {"strength": 3, "spikes": spikes}, 1.0) for spikes in (1, 5, 20)),
    *(("graded", {"strength": 4, "share": share}, 1.0) for share in (0.1, 0.3)),
    *((law, {"mu": mu}, mu / (mu - 2)) for law in ("student_t", "pareto") for mu in (3, 5)),
)
SHAPES = (500, 500), (750, 500), (900, 300)
NULL_SHAPES = (64, 64), (300, 100), (512, 512), (600, 300), (1000, 250)
FASTER = 20  # times, at least, for 1024 eigenvalues


def mp_fit(values, n):
    """σ² as weightwatcher 0.7.7 fits it: of eigenvalues rescaled to mean 1."""
    scale = values.mean()
    sigma, _ = fit_density_with_range(values / scale, n / len(values))
    return scale * sigma**2


def median(function, repeats):
    """(Median CPU seconds, result)."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        result = function()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds), result


def distance(values, q, sigma2):
    """Kolmogorov-Smirnov distance of the law from the eigenvalues up to its edge."""
    bulk = values[values <= edges(q, sigma2)[1]]
    law, ranks = cdf(bulk, q, sigma2), np.arange(len(bulk) + 1) / len(bulk)
    return max(np.max(law - ranks[:-1]), np.max(ranks[1:] - law))


def compare(n, m, samples=5):
    print(f"{n} x {m}{'':38} {'distance: ours':>16} {'mp_fit':>6} {'error: ours':>17} {'mp_fit':>17} spikes")
    for law, parameters, variance in ENSEMBLES:
        rng = np.random.default_rng(0)
        errors, distances, spikes = [], [], []
        for _ in range(samples):
            w = sample(law, n, m, rng, **parameters)
            single = w[np.abs(w) < (n * m) ** 0.25 * variance**0.5]
            without = np.sum(single**2) / w.size if law in ("student_t", "pareto") else variance
            values = eigenvalues(w) / n
            ours = fit_bulk(values, n)
            spikes.append(ours.n_spikes)
            theirs = mp_fit(values, n)
            distances.append([distance(values, n / m, found) for found in (ours.sigma2, theirs)])
            errors.append([abs(found / true - 1) for found in (ours.sigma2, theirs) for true in (variance, without)])
        ours, ours_without, theirs, theirs_without = np.median(errors, axis=0)
        near, far = np.median(distances, axis=0)
        print(
            f"{f'{law} {parameters}':50} {near:8.4f} {far:8.4f} {ours:8.4f} ({ours_without:.4f})"
            f" {theirs:8.4f} ({theirs_without:.4f}) {statistics.median(spikes):6g}"
        )


def null_rates(n, m, samples=4000):
    """Of the p-value of the largest eigenvalue, on Gaussian matrices by way of their bidiagonal form."""
    rng = np.random.default_rng([n, m])
    p = np.empty(samples)
    for i in range(samples):
        first, second = rng.chisquare(n - np.arange(m)), rng.chisquare(m - np.arange(1, m))
        diagonal = first + np.concatenate([[0], second])
        values = np.sort(eigvalsh_tridiagonal(diagonal, np.sqrt(first[:-1] * second), lapack_driver="sterf"))
        p[i] = fit_bulk(np.maximum(values, 0) / n, n).edge_p
    rates = "  ".join(f"{level}: {np.mean(p < level):.4f}" for level in (0.5, 0.1, 0.05, 0.01))
    print(f"{n} x {m}: share of p below {rates} ({samples} matrices)")


def main():
    warnings.simplefilter("ignore")
    values = eigenvalues(np.random.default_rng(0).standard_normal((2048, 1024))) / 2048
    fit_bulk(values, 2048)
    ours, _ = median(lambda: fit_bulk(values, 2048), 21)
    theirs, _ = median(lambda: mp_fit(values, 2048), 5)
    print(f"1024 eigenvalues: {1e3 * ours:.2f} ms, mp_fit {1e3 * theirs:.0f} ms, ratio {theirs / ours:.0f} ({FASTER})")
    rows = iter(range(2049, 2100))
    ours, _ = median(lambda: fit_bulk(values, next(rows)), 21)
    print(f"with a new aspect ratio each time: {1e3 * ours:.2f} ms, ratio {theirs / ours:.0f}")
    values = eigenvalues(np.random.default_rng(0).standard_normal((600, 300))) / 600
    print(f"λ₊·N of a 600 x 300 matrix: {600 * fit_bulk(values, 600).lambda_plus:.1f} ({600 * edges(2.0)[1]:.1f})")
    for shape in SHAPES:
        compare(*shape)
    for shape in NULL_SHAPES:
        null_rates(*shape)


if __name__ == "__main__":
    main()
