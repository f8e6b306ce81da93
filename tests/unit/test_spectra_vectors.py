import numpy as np
import pytest
from scipy.special import digamma
from scipy.stats import kstest, mannwhitneyu

from htsr.spectra import vectors


def random(shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("shape", [(40, 30), (30, 40), (25, 25), (1, 9), (9, 1), (1, 1)])
@pytest.mark.parametrize("factor", [1e-30, 1.0, 1e30])
def test_singular_vectors_put_the_matrix_together(shape, factor):
    w = random(shape) * np.float32(factor)
    found = vectors.singular_vectors(w)
    np.testing.assert_allclose((found.left * found.values) @ found.right.T, w, rtol=1e-6, atol=1e-9 * factor)
    for v in (found.left, found.right):
        np.testing.assert_allclose(v.T @ v, np.eye(min(shape)), atol=1e-9)
    assert (np.diff(found.values) >= 0).all() and found.determined.all()


def test_graded_spectrum_has_orthogonal_vectors_on_both_sides():
    rng = np.random.default_rng(1)
    u, v = (np.linalg.qr(rng.standard_normal((n, 12)))[0] for n in (30, 20))
    values = 10.0 ** np.linspace(-7, 0, 12)
    found = vectors.singular_vectors(((u * values) @ v.T).T)
    np.testing.assert_allclose(found.values[8:], values, rtol=1e-7)
    assert found.determined.tolist() == [False] * 8 + [True] * 12
    for side, expected in ((found.right, u), (found.left, v)):
        np.testing.assert_allclose(np.abs((side[:, 8:] * expected).sum(axis=0)), 1, atol=1e-8)


def test_vectors_that_nothing_determines():
    found = vectors.singular_vectors(random((50, 5)) @ random((5, 40), 1))
    assert found.determined.tolist() == [False] * 35 + [True] * 5
    assert not vectors.singular_vectors(np.eye(6)).determined.any(), "equal values"
    assert not vectors.singular_vectors(np.zeros((4, 3))).determined.any()
    assert vectors.singular_vectors(np.zeros((4, 0))).values.shape == (0,)
    with pytest.raises(ValueError, match="NaN"):
        vectors.singular_vectors(np.full((3, 3), np.nan))


def test_measures_of_known_vectors():
    n = 50
    found = vectors.measures(np.stack([np.ones(n), -3 * np.eye(n)[7], np.r_[np.ones(5), np.zeros(45)]], axis=1))
    np.testing.assert_allclose(found["entropy"], [1, 0, np.log(5) / np.log(n)], atol=1e-12)
    np.testing.assert_allclose(found["localization"], [n, 1, 5])
    np.testing.assert_allclose(found["participation"], [n**0.25, 1, 5**0.25])
    np.testing.assert_allclose(found["ipr"], [1, n, n / 5])
    v = random((30, 4), dtype=float)
    for name, values in vectors.measures(-1e-200 * v).items():
        np.testing.assert_allclose(values, vectors.measures(v)[name], rtol=1e-12)
    assert np.isnan(vectors.measures(np.ones((1, 2)))["entropy"]).all()


@pytest.mark.parametrize("n", [10, 200])
def test_haar_vectors_have_their_known_means(n):
    known = {"entropy": (digamma(n / 2 + 1) - digamma(1.5)) / np.log(n), "ipr": 3 * n / (n + 2)}
    chance = vectors.haar(n)
    for name, mean in known.items():
        values = chance.measures[name]
        assert abs(values.mean() - mean) < 4 * values.std() / len(values) ** 0.5
        low, high = chance.band(name)[1:]
        assert np.mean((values >= low) & (values <= high)) == pytest.approx(0.95, abs=0.002)


def test_ks_distance_is_that_of_scipy():
    v = random((60, 3), dtype=float)
    expected = [kstest(60**0.5 * x / np.linalg.norm(x), "norm").statistic for x in v.T]
    np.testing.assert_allclose(vectors.ks_distances(v), expected, rtol=1e-12)
    np.testing.assert_allclose(vectors.ks_distances(-2 * v), expected, rtol=1e-12)


def test_porter_thomas_p_is_uniform_for_haar_vectors_and_small_for_localized_ones():
    p = vectors.porter_thomas_p(vectors.ks_distances(random((40, 1000), 3)), 40)
    assert kstest(p, "uniform").pvalue > 0.001
    localized = random((40, 5), dtype=float) ** 5
    assert (vectors.porter_thomas_p(vectors.ks_distances(localized), 40) < 0.01).all()
    assert np.isnan(vectors.porter_thomas_p(np.array([0.1]), 7)).all()


@pytest.mark.parametrize("spike", [False, True])
def test_bulk_of_gaussian_matrices_is_rejected_as_often_as_it_should(spike):
    """A spike along the mean direction makes the other vectors more Gaussian than Haar vectors are."""
    rng = np.random.default_rng(4)
    p = []
    for _ in range(50):
        w = rng.standard_normal((24, 16)) + 3 * spike
        found = vectors.singular_vectors(w)
        for side in (found.left, found.right):
            p.append(vectors.departure_p(vectors.departures(side[:, : 16 - spike], side[:, 16 - spike :], rng)))
    rejected = np.mean(np.array(p) < 0.05)
    assert abs(rejected - 0.05) < 3.3 * (0.05 * 0.95 / 100) ** 0.5
    assert abs(np.mean(p) - 0.5) < 3.3 / (12 * 100) ** 0.5


def test_localized_bulk_is_rejected():
    rng = np.random.default_rng(5)
    w = rng.standard_normal((60, 40)) * np.exp(rng.standard_normal(40))
    right = vectors.singular_vectors(w).right
    assert vectors.departure_p(vectors.departures(right, right[:, :0], rng)) < 1e-6


def test_difference_needs_two_samples():
    x = np.arange(20.0)
    assert vectors.difference_p(x, x + 100) < 1e-6
    assert np.isnan(vectors.difference_p(x, x[:0]))


@pytest.mark.parametrize(
    ("n", "m", "digits"), [(1, 1, 9), (3, 4, 9), (8, 300, 9), (8, 300, 1), (9, 12, 9), (40, 25, 1)]
)
def test_difference_is_the_mann_whitney_test(n, m, digits):
    rng = np.random.default_rng(n + m)
    x, y = rng.normal(0.7, 1, n).round(digits), rng.normal(0, 1, m).round(digits)
    assert vectors.difference_p(x, y) == pytest.approx(mannwhitneyu(x, y).pvalue, rel=1e-10)
    assert vectors.difference_p(y, x) == pytest.approx(mannwhitneyu(x, y).pvalue, rel=1e-10)


def test_difference_of_few_values_is_a_share_of_their_orders():
    assert vectors.difference_p(np.arange(3.0), np.arange(3.0, 7.0)) == pytest.approx(2 / 35)
    assert vectors.difference_p(np.ones(20), np.ones(30)) == 1
    assert np.isnan(vectors.difference_p(np.array([1.0, np.nan]), np.ones(3)))
