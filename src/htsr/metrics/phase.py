"""The 5+1 phases of training as an operational rule, with a confidence."""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np

RANDOM_LIKE = "RANDOM-LIKE"
BLEEDING_OUT = "BLEEDING-OUT"
BULK_SPIKES = "BULK+SPIKES"
BULK_DECAY = "BULK-DECAY"
HEAVY_TAILED = "HEAVY-TAILED"
RANK_COLLAPSE = "RANK-COLLAPSE"

# In the order of growing correlation, the extra phase last.
PHASES = (RANDOM_LIKE, BLEEDING_OUT, BULK_SPIKES, BULK_DECAY, HEAVY_TAILED, RANK_COLLAPSE)

_DRAWS = 100


class PhaseRules(NamedTuple):
    """Thresholds of `judge_phase`."""

    zeros: float = 0.1
    heavy: float = 0.18
    bulk_level: float = 0.99
    edge: float = 1.5
    near: float = 0.02


RULES = PhaseRules()


class Evidence(NamedTuple):
    """What the phase is judged by; lengths are in units of the fitted λ₊.

    zeros: see `zero_share`. outer: the largest eigenvalues, ascending, at least all those that a perturbation may carry
    beyond `threshold`, where spikes begin. size: number of the eigenvalues that are not 0. bulk_z: see `sphericity`.
    edge_error: standard error of λ₊. width: standard deviation of the largest eigenvalue of noise.
    """

    zeros: float
    outer: np.ndarray
    threshold: float
    size: int
    bulk_z: float
    edge_error: float
    width: float


def sphericity(bulk: np.ndarray, n: float, n_matrices: int = 1) -> float:
    """How much wider a bulk is than Marchenko-Pastur: standard normal for Gaussian matrices, whatever their size.

    (N V - M - 1)/2, V the variance of the eigenvalues over their squared mean: John's statistic for a covariance
    proportional to the identity (Ledoit and Wolf 2002, Ann. Statist. 30, 1081, proposition 7). It does not depend on
    the fitted σ². An excess kurtosis κ of the entries raises it by κ/2, rows or columns of unequal variance raise it
    too. bulk: eigenvalues of n_matrices pooled matrices without zeros and spikes; without k spikes it is the bulk of
    an (N - k) x (M - k) matrix, so that n is N - k. NaN for fewer than two eigenvalues.
    """
    if len(bulk) < 2:
        return np.nan
    scaled = bulk / bulk[-1]
    v = scaled.var() / scaled.mean() ** 2
    return float((n * v - len(bulk) / n_matrices - 1) / 2 * np.sqrt(n_matrices))


def zero_share(eigenvalues: np.ndarray, n: int) -> float:
    """Share of the eigenvalues, ascending, that are 0 because the rank is low: 0 where they are too small to resolve.

    A Gram matrix resolves λ > eps·n·λmax, and a spectrum of many decades may end there. That of a matrix of low
    rank ends far above: its smallest non-zero eigenvalue is at least 1000 times the limit.
    """
    zeros = int(np.count_nonzero(eigenvalues == 0))
    limit = np.finfo(float).eps * n * eigenvalues[-1]
    return zeros / len(eigenvalues) if zeros < len(eigenvalues) and eigenvalues[zeros] > 1000 * limit else 0.0


def judge_phase(evidence: Evidence, rules: PhaseRules = RULES) -> tuple[str, float]:
    """The phase of a spectrum and the confidence in it; phases of Martin and Mahoney 2018 (arXiv 1810.01075), table 7.

    The first rule that holds decides. Spikes are the eigenvalues beyond the Tracy-Widom quantile of the bulk's edge λ₊.

    RANK-COLLAPSE: more than the share `zeros` of the eigenvalues is 0 (`zero_share`).
    HEAVY-TAILED:  more than the share `heavy` of the others are spikes: no bulk is left that λ₊ could be the edge of.
    RANDOM-LIKE:   no spikes.
    BULK-DECAY:    there are spikes, and the bulk below them is wider than Marchenko-Pastur (`sphericity` beyond its
                   quantile `bulk_level`), or it decays into them: more than the share `near` of them are
                   spikes within `edge` times λ₊, and others are beyond that.
    BLEEDING-OUT:  all spikes are within `edge` times λ₊.
    BULK+SPIKES:   some are beyond.

    A signal that reaches 1.5 λ₊ has twice the strength at which it leaves the bulk, nearly whatever Q is. The rule
    knows nothing of scale, of eigenvectors and of the tail fit. The rates of its two tests do not depend on M, but
    larger matrices show smaller departures.

    Confidence: the share of 100 perturbed decisions that agree, under the same seeded perturbations for every spectrum:
    λ₊ within its standard error, each outer eigenvalue within the fluctuation of an edge, the number of spikes within
    its Poisson scatter where it is compared with `heavy`, and bulk_z within its own unit standard deviation. It says
    how likely another matrix of the same law gives the same phase, not whether the law is what the phase's name says.
    """
    close = evidence.outer[evidence.outer <= 2 * max(rules.edge, evidence.threshold)]
    beyond = len(evidence.outer) - len(close)  # so far out that no perturbation matters
    noise = np.random.default_rng(0).standard_normal((_DRAWS, len(close) + 3))
    noise = np.vstack([np.zeros(noise.shape[1]), noise])  # the first decision is the unperturbed one
    edge = np.clip(1 + evidence.edge_error * noise[:, :1], 0.5, None)
    close = close * (1 + evidence.width * noise[:, 3:]) / edge
    spikes, far = (beyond + np.count_nonzero(close > limit, axis=1) for limit in (evidence.threshold, rules.edge))
    far = np.minimum(far, spikes)
    share = (spikes + np.sqrt(spikes) * noise[:, 1]) / evidence.size
    wide = evidence.bulk_z + noise[:, 2] > NormalDist().inv_cdf(rules.bulk_level)
    decays = (spikes - far > rules.near * evidence.size) & (far > 0)
    collapsed = np.full(len(noise), evidence.zeros > rules.zeros)
    decided = np.select(
        [collapsed, share > rules.heavy, spikes == 0, wide | decays, far == 0],
        [RANK_COLLAPSE, HEAVY_TAILED, RANDOM_LIKE, BULK_DECAY, BLEEDING_OUT],
        default=BULK_SPIKES,
    )
    return str(decided[0]), float(np.mean(decided[1:] == decided[0]))
