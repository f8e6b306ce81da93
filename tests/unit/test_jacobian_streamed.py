"""What rows tell of M without M, against M."""

import numpy as np
import pytest

from htsr.jacobian import streamed, structure

LABELS = np.repeat([0, 1, 3], [40, 25, 30])  # and no example of class 2


def matrix(size=70):
    rng = np.random.default_rng(0)
    r = (rng.standard_normal((4, size))[LABELS] + rng.standard_normal((95, size))) * rng.pareto(1.5, (95, 1))
    r[[3, 50]] = 0
    return r


def rows_of(r):
    return lambda start, stop: r[start:stop]


@pytest.mark.parametrize("dense", [70, 60])
def test_spectrum_classes_and_vectors(dense):
    r = matrix()
    m, n = r @ r.T, len(r)
    settings = {"dense": dense, "vectors": 3, "rank": 40, "probes": 8, "steps": 30}
    found = streamed.spectrum(rows_of(r), n, 70, np.random.default_rng(0), **settings)
    exact = np.linalg.eigvalsh(m)
    known = len(found.values)
    assert (found.sketched is None) == (known == 70) == (dense == 70)
    np.testing.assert_allclose(found.values[-10:], exact[-10:], rtol=1e-9 if dense == 70 else 1e-5)
    assert found.total == pytest.approx(exact.sum()) and found.squares == pytest.approx(np.sum(m**2), rel=1e-4)
    vectors = streamed.left_vectors(rows_of(r), n, found.vectors)
    np.testing.assert_allclose(m @ vectors, vectors * exact[:-4:-1], atol=1e-4 * exact[-1])
    sums, aligned = streamed.class_sums(rows_of(r), n, 70, LABELS, np.sum(m**2), seed=5)
    assert aligned == pytest.approx(structure.alignment(m, LABELS, 5))
    blocks, expected = streamed.block_means(sums, m.diagonal(), LABELS), structure.block_means(m, LABELS)
    np.testing.assert_allclose(blocks, expected, rtol=1e-9, atol=1e-9)
    assert np.isnan(blocks[2]).all()


def test_rows_made_of_rows():
    r = matrix()
    m, n = r @ r.T, len(r)
    assert streamed.row_energy(rows_of(r), n) == pytest.approx(m.diagonal())
    own = streamed.centred(rows_of(r), n)(0, n)
    np.testing.assert_allclose(own @ own.T, structure.centred(m), atol=1e-9 * m.max())
    own = streamed.scaled(rows_of(r), m.diagonal())(10, 60)
    np.testing.assert_allclose(own @ own.T, structure.correlation(m)[10:60, 10:60], atol=1e-12)


def test_random_directions_are_the_same_whenever_they_are_asked():
    norms = np.random.default_rng(1).pareto(1.5, 95)
    rows = streamed.random_directions(norms, 30, 7, "a")
    whole = rows(0, 95)
    assert np.linalg.norm(whole, axis=1) == pytest.approx(norms)
    for start, stop in ((0, 1), (31, 33), (40, 95), (64, 95), (5, 32)):
        np.testing.assert_array_equal(rows(start, stop), whole[start:stop])
    unit = whole / norms[:, None]
    assert abs(np.sum(unit, axis=0)).max() < 5 * np.sqrt(95 / 30)
    assert not np.array_equal(streamed.random_directions(norms, 30, 7, "b")(0, 95), whole)


def test_a_jacobian_of_zeros():
    rows = rows_of(np.zeros((95, 70)))
    sums, aligned = streamed.class_sums(rows, 95, 70, LABELS, 0.0, 0)
    assert not sums.any() and np.isnan(aligned.value)


@pytest.mark.parametrize("tolerance", [1e-11, 1e-6])
def test_rank_is_that_of_the_graded_eigenvalues(tolerance):
    from htsr.spectra.graded import graded_eigenvalues

    r = matrix()
    r[60:] = r[:35] * 1e-7 + 1e-14 * r[60:]
    m = r @ r.T
    rank = structure.numerical_rank(structure.correlation(m), tolerance)
    assert rank == graded_eigenvalues(m, tolerance).rank < 70
    assert structure.numerical_rank(np.zeros((4, 4)), tolerance) == 0
