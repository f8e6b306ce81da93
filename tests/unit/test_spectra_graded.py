from fractions import Fraction

import numpy as np
import pytest

from htsr.spectra.graded import NOT_FINITE, NOT_POSITIVE, graded_eigenvalues


def graded(n, decades, columns=None, seed=0):
    """Gram matrix of Gaussian rows whose lengths span the decades."""
    rng = np.random.default_rng(seed)
    rows = 10 ** rng.permutation(np.linspace(0, decades, n))[:, None] * rng.standard_normal((n, columns or 3 * n))
    return rows @ rows.T


def below(m, x):
    """How many eigenvalues of the matrix, taken exactly, are below x: Sylvester's law of inertia in rationals."""
    a = [[Fraction(float(v)) for v in row] for row in m]
    n, count = len(a), 0
    for i in range(n):
        a[i][i] -= Fraction(float(x))
    for k in range(n):
        count += a[k][k] < 0
        for i in range(k + 1, n):
            factor = a[i][k] / a[k][k]
            for j in range(k + 1, n):
                a[i][j] -= factor * a[k][j]
    return count


@pytest.mark.parametrize("decades", [0, 7, 14])
def test_every_eigenvalue_of_a_graded_matrix_is_known_relatively(decades):
    m = graded(10, decades / 2)
    m = np.tril(m) + np.tril(m, -1).T
    found = graded_eigenvalues(m)
    assert found.rank == 10
    assert found.accuracy < 1e-12
    for i, value in enumerate(found.values):
        assert below(m, value * (1 - found.accuracy)) == i
        assert below(m, value * (1 + found.accuracy)) == i + 1
    if decades == 14:
        assert found.values[-1] / found.values[0] > 1e13
        # What the effort is for: a symmetric solver loses the smallest, in one order of the rows or another.
        plain = [np.linalg.eigvalsh(m[::way, ::way], triangle)[0] for way in (1, -1) for triangle in "LU"]
        assert max(abs(value / found.values[0] - 1) for value in plain) > 1e-4


def test_scaled_hilbert_matrix_is_as_known_as_its_condition_allows():
    n = 6
    i = np.arange(1, n + 1)
    d = 10.0 ** np.array([0, 5, -3, 7, -6, 2])
    m = d[:, None] * d / (i[:, None] + i - 1)
    m = np.tril(m) + np.tril(m, -1).T
    found = graded_eigenvalues(m)
    assert 1e-12 < found.accuracy < 1e-6  # the condition of the Hilbert matrix is 1.5e7
    for k, value in enumerate(found.values):
        assert below(m, value * (1 - found.accuracy)) == k
        assert below(m, value * (1 + found.accuracy)) == k + 1


def test_scaled_blocks_of_known_eigenvalues():
    """Blocks a²((2, 1), (1, 2)) of eigenvalues a² and 3a², interleaved."""
    a = 2.0 ** np.arange(-30, 30, 6)
    m = np.zeros((20, 20))
    for k, scale in enumerate(a):
        m[np.ix_([k, 19 - k], [k, 19 - k])] = scale**2 * np.array([[2, 1], [1, 2]])
    found = graded_eigenvalues(m)
    np.testing.assert_allclose(found.values, np.sort([*a**2, *(3 * a**2)]), rtol=1e-14)


@pytest.mark.parametrize("k", [2, 3, 5])
def test_softmax_jacobians_of_a_linear_network_have_rank_k_k_minus_1_over_2(k):
    rng = np.random.default_rng(0)
    w, x = rng.standard_normal((k, 12)), 6 * rng.standard_normal((60, 12))
    z = x @ w.T
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    derivative = -p[:, :, None] * p[:, None, :]
    derivative[:, range(k), range(k)] = 0
    derivative[:, range(k), range(k)] = -derivative.sum(axis=2)  # p(1 - p) without cancellation
    rows = (derivative @ w).reshape(60, -1)
    m = rows @ rows.T
    found = graded_eigenvalues(m)
    assert found.rank == k * (k - 1) // 2
    assert np.count_nonzero(found.values) == found.rank
    assert found.values.sum() == pytest.approx(np.trace(m), rel=1e-12)
    assert np.isfinite(found.accuracy)


def test_low_rank_over_many_decades():
    """Rows of 4 coordinates: the 4 eigenvalues agree with those of the small Gram matrix of the other side."""
    rng = np.random.default_rng(1)
    rows = 10 ** rng.uniform(-7, 0, 50)[:, None] * rng.standard_normal((50, 4))
    found = graded_eigenvalues(rows @ rows.T)
    assert found.rank == 4
    np.testing.assert_allclose(found.values[-4:], np.linalg.eigvalsh(rows.T @ rows), rtol=1e-12)
    assert not found.values[:-4].any()


@pytest.mark.parametrize("scale", [1e-200, 1e-3, 1e150])
def test_scale_does_not_matter(scale):
    m = graded(12, 5)
    np.testing.assert_allclose(graded_eigenvalues(scale * m).values, scale * graded_eigenvalues(m).values, rtol=1e-12)


def test_zero_rows_and_zero_matrices():
    m = graded(8, 4)
    wide = np.zeros((11, 11))
    keep = [0, 2, 3, 5, 6, 7, 9, 10]
    wide[np.ix_(keep, keep)] = m
    found = graded_eigenvalues(wide)
    np.testing.assert_allclose(found.values, [0, 0, 0, *graded_eigenvalues(m).values], rtol=1e-12)
    assert found.rank == 8
    for n in (0, 1, 5):
        nothing = graded_eigenvalues(np.zeros((n, n)))
        assert (nothing.values.tolist(), nothing.rank, nothing.accuracy, nothing.status) == ([0] * n, 0, 0, "")
    assert graded_eigenvalues(np.array([[4.0]])).values.tolist() == [4]


def test_repeated_rows_are_one():
    m = graded(6, 3)
    twice = m[np.ix_([0, 0, 1, 2, 3, 4, 5], [0, 0, 1, 2, 3, 4, 5])]
    found = graded_eigenvalues(twice)
    assert found.rank == 6
    assert found.values[0] == 0


def test_a_tolerance_decides_what_is_rounding():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((30, 5)).astype(np.float32)
    noisy = (rows @ rows.T).astype(float)  # products rounded to float32
    noisy = (noisy + noisy.T) / 2
    assert graded_eigenvalues(noisy, tolerance=1e-5).rank == 5


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({(3, 2): np.nan}, NOT_FINITE),
        ({(4, 4): np.inf}, NOT_FINITE),
        ({(4, 4): -1.0}, NOT_POSITIVE),
        ({(4, 4): 0.0}, NOT_POSITIVE),
        ({(3, 2): 1e9}, NOT_POSITIVE),
    ],
)
def test_matrices_that_are_none_give_a_status(change, status):
    m = graded(6, 2)
    for place, value in change.items():
        m[place] = value
    found = graded_eigenvalues(m)
    assert found.status == status
    assert np.isnan(found.values).all()
    assert np.isnan(found.accuracy)
