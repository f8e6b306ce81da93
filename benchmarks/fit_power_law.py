"""Power-law fit with its search for xmin: ours, weightwatcher's WWFit and powerlaw.Fit in one run, one thread each.

    OMP_NUM_THREADS=1 python benchmarks/fit_power_law.py

Needs weightwatcher beside powerlaw. Prints medians of CPU time, ratios, and the exponents, which must agree (all with
the left-limit KS distance). Samples: Pareto of α = 2.2; lognormal; eigenvalues of a Gaussian matrix.
"""

import statistics
import time
import warnings

import numpy as np
import powerlaw
from weightwatcher.WW_powerlaw import WWFit

from htsr.tails.bootstrap import alpha_interval, resampled_fits
from htsr.tails.power_law import Rule, fit_power_law

LEFT = Rule("left", 2)
LEAST = {1000: (5, 30), 4096: (4, 15)}  # times faster than weightwatcher and powerlaw on the Pareto sample


def samples(n):
    rng = np.random.default_rng(n)
    yield "Pareto 2.2", (1 - rng.random(n)) ** (-1 / 1.2)
    yield "lognormal", np.exp(rng.standard_normal(n))
    w = rng.standard_normal((2 * n, n))
    yield "Gaussian matrix", np.linalg.eigvalsh(w.T @ w / (2 * n))


def median(function, repeats=21, budget=4.0):
    """(Median CPU seconds, result); fewer repeats once the budget of seconds is spent."""
    seconds = []
    while len(seconds) < repeats and sum(seconds) < budget:
        start = time.process_time()
        result = function()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds), result


def main():
    warnings.simplefilter("ignore")
    start = time.process_time()
    warm = fit_power_law(np.arange(1.0, 40))
    resampled_fits(np.arange(1.0, 40), warm, Rule(), 2, np.random.default_rng(0))
    print(f"compiling, or loading the compiled code: {time.process_time() - start:.2f} s (alpha {warm.alpha:.2f})")
    print(f"{'sample':16} {'n':>5} {'ours':>10} {'WWFit':>10} {'powerlaw':>10}   ratios (alphas)")
    for n, least in LEAST.items():
        for name, x in samples(n):
            ours, fit = median(lambda x=x: fit_power_law(x, LEFT))
            ww, theirs = median(lambda x=x: WWFit(x))
            package, reference = median(
                lambda x=x: powerlaw.Fit(x, parameter_ranges={"alpha": [1, None]}, verbose=0), repeats=5
            )
            goal = f"  (at least {least[0]}, {least[1]})" if name.startswith("Pareto") else ""
            print(
                f"{name:16} {n:5} {1e3 * ours:7.3f} ms {1e3 * ww:7.2f} ms {1e3 * package:7.0f} ms"
                f"   {ww / ours:.0f}, {package / ours:.0f}{goal}"
                f" ({fit.alpha:.6f} {theirs.alpha:.6f} {reference.alpha:.6f})"
            )
    rule, rng = Rule(), np.random.default_rng(0)
    for name, x in samples(1000):
        x = np.sort(x)
        fit = fit_power_law(x, rule)
        seconds, (alphas, _) = median(lambda x=x, fit=fit: resampled_fits(x, fit, rule, 200, rng), repeats=5)
        low, high = alpha_interval(fit.alpha, alphas)
        print(f"200 resamples of {name}, n = 1000: {seconds:.3f} s (at most 0.5), alpha {low:.2f} to {high:.2f}")


if __name__ == "__main__":
    main()
