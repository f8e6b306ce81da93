"""Singular vectors of a 1024 x 1024 matrix: the symmetric solver beside LAPACK's SVD and the nonsymmetric one.

    python benchmarks/vectors.py [size]

weightwatcher 0.7.7 takes the nonsymmetric solver, scipy.linalg.eig of WᵀW, and the vectors of one side only.
"""

import statistics
import sys
import time

import numpy as np
from scipy.linalg import eig, svd

from htsr.spectra.vectors import singular_vectors

REPETITIONS = 3


def main(size: int) -> None:
    w = np.random.default_rng(0).standard_normal((size, size)).astype(np.float32)
    works = {
        "htsr, both sides": lambda: singular_vectors(w),
        "scipy svd, float64, both sides": lambda: svd(w.astype(float), full_matrices=False),
        "scipy eig of the Gram matrix, one side": lambda: eig(w.T.astype(float) @ w.astype(float)),
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(REPETITIONS):  # in turns, so that a busy machine slows all of them
        for name, work in works.items():
            start = time.process_time()
            work()
            times[name].append(time.process_time() - start)
    least = statistics.median(times["htsr, both sides"])
    print(f"{size} x {size}, median of {REPETITIONS}, seconds of processor time")
    for name, own in times.items():
        median = statistics.median(own)
        print(f"  {name:40} {median:.2f}  ({median / least:.1f} times)")
    found = singular_vectors(w)
    error = np.abs((found.left * found.values) @ found.right.T - w).max() / np.abs(w).max()
    print(f"  largest error of the matrix put together again: {error:.0e} of its largest entry")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 1024)
