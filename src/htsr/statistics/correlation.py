"""Rank correlations of units in groups: only units of the same group are compared with each other.

With one group these are the ordinary Kendall τ-b and Spearman ρ. With several (models in series) a difference
between groups neither makes nor hides a correlation.
"""

import numpy as np

from htsr.statistics.resampling import blocks, exceedance, permutations


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """numerator / denominator, NaN where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.full(np.shape(denominator), np.nan), where=denominator > 0)


def centred(values: np.ndarray, groups: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """values (n) or (B, n) less the weighted mean of their group, for every row of weights (B, n): (B, n)."""
    result = np.empty(weights.shape)
    for block in blocks(groups):
        own, weight = values[..., block], weights[:, block]
        result[:, block] = own - ((weight * own).sum(1) / weight.sum(1))[:, None]
    return result


def correlation(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pearson r of centred x and y (B, n) for every row of weights (B, n): (B)."""
    return ratio((weights * x * y).sum(1), np.sqrt((weights * x * x).sum(1) * (weights * y * y).sum(1)))


def kendall(x: np.ndarray, y: np.ndarray, groups: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Kendall τ-b of x and y (n) over pairs within groups, for every row of weights (B, n): (B), NaN if undefined.

    τ-b = (concordant - discordant) / √(pairs untied in x · pairs untied in y), each counted over all groups
    (Kendall 1945). Copies of one unit in a resample are tied in both.
    """
    weights = np.ones((1, len(x))) if weights is None else weights
    score = untied_x = untied_y = np.zeros(len(weights))
    for block in blocks(groups):
        weight = weights[:, block]
        dx, dy = (np.sign(np.subtract.outer(v[block], v[block])) for v in (x, y))
        score = score + ((weight @ (dx * dy)) * weight).sum(1)
        untied_x = untied_x + ((weight @ (dx * dx)) * weight).sum(1)
        untied_y = untied_y + ((weight @ (dy * dy)) * weight).sum(1)
    return ratio(score, np.sqrt(untied_x * untied_y))


def kendall_rows(x: np.ndarray, y: np.ndarray, groups: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """As `kendall`, where each row has its own data: x (n) or (B, n), y (B, n) and weights (B, n): (B)."""
    first, second = np.hstack([b[np.array(np.triu_indices(len(b), 1))] for b in blocks(groups)])
    result = np.empty(len(y))
    step = max(1, 4_000_000 // max(1, len(first)))
    for start in range(0, len(y), step):
        rows = slice(start, start + step)
        dx = x if x.ndim == 1 else x[rows]
        dx, dy = (np.sign(v[..., first] - v[..., second]) for v in (dx, y[rows]))
        pairs = 1.0 if weights is None else weights[rows, :][:, first] * weights[rows, :][:, second]
        untied = [np.broadcast_to(pairs * d * d, dy.shape).sum(1) for d in (dx, dy)]
        result[rows] = ratio((pairs * dx * dy).sum(1), np.sqrt(untied[0] * untied[1]))
    return result


def ranks(values: np.ndarray, groups: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average ranks of values (n) within their group, for every row of weights (B, n): (B, n)."""
    result = np.empty(weights.shape)
    for block in blocks(groups):
        difference = np.subtract.outer(values[block], values[block])
        below = (difference > 0) + 0.5 * (difference == 0)
        result[:, block] = weights[:, block] @ below.T + 0.5
    return result


def spearman(x: np.ndarray, y: np.ndarray, groups: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Spearman ρ for every row of weights (B, n): the correlation of the ranks within groups, (B), NaN if undefined."""
    weights = np.ones((1, len(x))) if weights is None else weights
    rank_x, rank_y = (centred(ranks(v, groups, weights), groups, weights) for v in (x, y))
    return correlation(rank_x, rank_y, weights)


def permutation_p(
    x: np.ndarray, y: np.ndarray, groups: np.ndarray, rng: np.random.Generator, resamples: int
) -> tuple[float, float]:
    """Two-sided p values of Kendall's τ and Spearman's ρ: y permuted within groups.

    Exact (all orders) where the orders are few, else from `resamples` random ones.
    """
    orders, exact = permutations(rng, groups, resamples)
    one = np.ones((1, len(x)))
    rank_x, rank_y = (centred(ranks(v, groups, one), groups, one)[0] for v in (x, y))
    tau = np.abs(kendall_rows(x, y[orders], groups))
    rho = np.abs(rank_y[orders] @ rank_x)
    return (
        exceedance(tau, abs(kendall(x, y, groups)[0]), exact),
        exceedance(rho, abs(rank_y @ rank_x), exact),
    )
