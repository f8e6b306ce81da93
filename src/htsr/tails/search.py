"""The compiled part: which lower cut-off makes the tail closest to a power law, for data and for their resamples, and
the sums that fit a stretched exponential.

Everything is in the logarithm of the data, where a power law is an exponential: with s = α - 1 and t = ln(x/xmin),
F(t) = 1 - exp(-s t). The V distinct values are given by `logs` (ascending) and `below` (V + 1 counts of data smaller
than each of them; the last one is the size of the sample), so that ties are exact and cost nothing.

One file, since numba's cache of a function does not see changes of functions that it calls in other files.
"""

import math

import numba
import numpy as np

_PROBES = 24  # candidates tried first, to know early how small a distance has to be
_CHECKPOINTS = 12  # points of a tail that are looked at before all others
_ROUNDING = 1e-13  # far above the rounding error of F, far below any distance that matters


@numba.njit(cache=True)
def _compare(logs, below, i, s, norm, j, left):
    """F/norm and its distance from the empirical CDF at value j, in the tail that starts at value i."""
    tail = below[-1] - below[i]
    f = -math.expm1(s * (logs[i] - logs[j])) / norm
    distance = abs(f - (below[j] - below[i]) / tail)
    if not left:
        distance = max(distance, abs(f - (below[j + 1] - below[i]) / tail))
    return f, distance


@numba.njit(cache=True)
def _distance(logs, below, i, s, limit, left, cut, witness, gaps):
    """(Distance, where) of the tail that starts at value i, or (some larger number than limit, where it was seen).

    The witness, a value likely to be far off, comes first, then a sparse set of points. F and the empirical CDF both
    increase, so that their values at two points bound the distance at all points in between: only gaps that could
    hide a larger distance than the largest so far are halved further.
    gaps: scratch of 4 columns: the values at both ends of a gap, and F there.
    """
    last, start, tail = len(logs) - 1, below[i], below[-1] - below[i]
    norm = -math.expm1(s * (logs[i] - logs[last])) if cut else 1.0
    where = max(witness, i)
    largest = _compare(logs, below, i, s, norm, where, left)[1]
    if largest > limit:
        return largest, where
    count, a, fa = 0, i, 0.0
    for k in range(_CHECKPOINTS + 1):
        b = i + (last - i) * k // _CHECKPOINTS
        fb, distance = _compare(logs, below, i, s, norm, b, left)
        if distance > largest:
            largest, where = distance, b
            if largest > limit:
                return largest, where
        gaps[count, 0], gaps[count, 1], gaps[count, 2], gaps[count, 3] = a, b, fa, fb
        count, a, fa = count + (b > a + 1), b, fb
    while count:
        count -= 1
        a, b, fa, fb = int(gaps[count, 0]), int(gaps[count, 1]), gaps[count, 2], gaps[count, 3]
        over = fb - (below[a + 1] - start) / tail
        under = (below[b - 1 if left else b] - start) / tail - fa
        if max(over, under) + _ROUNDING <= largest:
            continue
        j = (a + b) // 2
        f, distance = _compare(logs, below, i, s, norm, j, left)
        if distance > largest:
            largest, where = distance, j
            if largest > limit:
                return largest, where
        for c, d, fc, fd in ((a, j, fa, f), (j, b, f, fb)):
            if d > c + 1:
                gaps[count, 0], gaps[count, 1], gaps[count, 2], gaps[count, 3] = c, d, fc, fd
                count += 1
    return largest, where


@numba.njit(cache=True)
def _tails(logs, below, min_tail):
    """Σ ln(x/xmin) over the tail of each candidate, summed from its end: all terms are positive, nothing cancels."""
    last, n, total = len(logs) - 2, below[-1], 0.0
    sums = np.empty(max(last + 1, 0))
    for i in range(last, -1, -1):
        total += (n - below[i + 1]) * (logs[i + 1] - logs[i])
        sums[i] = total
    while last >= 0 and n - below[last] < min_tail:
        last -= 1
    return sums[: last + 1]


@numba.njit(cache=True)
def _least_distance(logs, below, slopes, left, cut):
    """The candidate with the least distance; it is left only once it is known to be farther off than the best."""
    last, best, slope, least = len(slopes) - 1, -1, np.nan, np.inf
    if last < 0:
        return best, slope, least
    gaps = np.empty((256, 4))
    stride = max(1, last // _PROBES)
    probes = last // stride + 1
    witness = 0
    for turn in range(probes + last + 1):
        i = turn * stride if turn < probes else turn - probes
        if turn >= probes and i % stride == 0:
            continue
        distance, witness = _distance(logs, below, i, slopes[i], least, left, cut, witness, gaps)
        if distance < least or (distance == least and i < best):
            best, slope, least = i, slopes[i], distance
    return best, slope, least


@numba.njit(cache=True)
def best_tail(logs, below, min_tail, left, cut):
    """The start of the tail with the least Kolmogorov-Smirnov distance (Clauset, Shalizi, Newman 2009, sec. 3.3).

    Every distinct value but the largest is a candidate if at least min_tail data are not smaller. left: compare
    with the left limits of the empirical CDF only, not with both limits. cut: with F(t)/F(largest t), the law cut off
    at the largest value, though s is that of the whole law. Of equal distances the longest tail wins.
    Returns (index into logs, s = α - 1, distance); the index is -1 where there is no candidate.

    The answer is that of the full search.
    """
    slopes = _tails(logs, below, min_tail)
    for i in range(len(slopes)):
        slopes[i] = (below[-1] - below[i]) / slopes[i]
    return _least_distance(logs, below, slopes, left, cut)


@numba.njit(cache=True)
def best_bounded_tail(logs, below, min_tail, left):
    """As `best_tail` for the power law that ends at the largest value, s from the other values; min_tail >= 2."""
    slopes = _tails(logs, below, min_tail)
    for i in range(len(slopes)):
        length = logs[-1] - logs[i]
        slopes[i] = bounded_slope((slopes[i] - length) / (below[-1] - below[i] - 1), length)[0]
    return _least_distance(logs, below, slopes, left, True)


@numba.njit(cache=True)
def bounded_slope(mean, length):
    """(s, variance of t) of the density ∝ e^(-st) on 0 <= t <= length that has the given mean.

    1/s - length/(e^(s·length) - 1) = mean (Aban, Meerschaert, Panorska 2006, theorem 2); s < 0 where the mean is beyond
    the middle. With a = |s|·length the left side falls, is convex and larger than length/(a + 2), so that Newton's
    iteration from there on rises to the root.
    """
    share = max(min(mean / length, 1 - mean / length), 1e-6)
    a = max(1 / share - 2, 1e-8)
    for _ in range(100):
        if a < 0.02:
            value, slope = 0.5 - a / 12 + a**3 / 720, -1 / 12 + a * a / 240
        else:
            rest = -math.expm1(-a)
            value, slope = 1 / a - math.exp(-a) / rest, math.exp(-a) / (rest * rest) - 1 / (a * a)
        step = (share - value) / slope
        a = max(a + step, 1e-8)
        if not step > 1e-12 * a:
            break
    return math.copysign(a, length - 2 * mean) / length, -slope * length**2


@numba.njit(cache=True)
def refit(logs, below, uniforms, n_tail, body, slope, log_xmin, min_tail, left, cut):
    """best_tail of resamples of the data: (s, distance) of each, s = NaN where a resample has no candidate.

    uniforms: resamples x n numbers in [0, 1), all the randomness there is. n_tail: for each resample, how many of
    its data come from the power law of the given slope above exp(log_xmin); the others are drawn with replacement
    from the `body` smallest data.
    """
    resamples, n = uniforms.shape
    owner = np.empty(n, np.int64)  # which distinct value a datum is
    for v in range(len(logs)):
        owner[below[v] : below[v + 1]] = v
    counts = np.empty(len(logs), np.int64)
    new_logs, new_below = np.empty(n), np.empty(n + 1, np.int64)
    slopes, distances = np.empty(resamples), np.empty(resamples)
    for r in range(resamples):
        k = n_tail[r]
        counts[:] = 0
        for j in range(k, n):
            counts[owner[int(uniforms[r, j] * body)]] += 1
        size, total = 0, 0
        for v in range(len(logs)):
            if counts[v]:
                new_logs[size], new_below[size] = logs[v], total
                size, total = size + 1, total + counts[v]
        t = 0.0  # order statistics of exponentials are sums of independent exponentials (Rényi 1953): no sorting
        for j in range(k):
            t -= math.log1p(-uniforms[r, j]) / (k - j)
            new_logs[size], new_below[size] = log_xmin + t / slope, total
            size, total = size + 1, total + 1
        new_below[size] = total
        _, slopes[r], distances[r] = best_tail(new_logs[:size], new_below[: size + 1], min_tail, left, cut)
    return slopes, distances


@numba.njit(cache=True)
def tilted_moments(t, beta):
    """First two moments of u with density e^(βu) S(u), S(u) the share of the numbers t (0 to 1) that exceed u.

    Each t adds the integrals of u^p e^(βu) from 0 to t, which are t^(p+1) e^(βt) h_p(βt) with
    h_p(z) = ∫₀¹ v^p e^(-z(1-v)) dv = (1 - p h_(p-1)(z))/z = Σ_j (-z)^j p!/(p + j + 1)!, the sum where 1/z cancels.
    """
    total, first, second = 0.0, 0.0, 0.0
    for v in t:
        z, weight = beta * v, v * math.exp(beta * (v - 1))
        if z < 0.1:
            h0 = h1 = h2 = 0.0
            for j in range(9, -1, -1):
                h0 = (1 - z * h0) / (j + 1)
                h1 = (1 - z * h1) / (j + 2)
                h2 = (1 - z * h2) / (j + 3)
        else:
            h0 = -math.expm1(-z) / z
            h1 = (1 - h0) / z
            h2 = (1 - 2 * h1) / z
        total += weight * h0
        first += weight * v * h1
        second += weight * v * v * h2
    return first / total, second / total
