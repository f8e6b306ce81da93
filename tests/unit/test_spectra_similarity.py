import numpy as np
import pytest
from scipy.stats import kstest

from htsr.spectra import similarity
from htsr.spectra.similarity import basis, cka, hsic, mean_cca, pwcca, similarities


def data(n, p, seed=0):
    return np.random.default_rng(seed).standard_normal((n, p))


def test_hsic_is_the_estimator_of_song():
    x, y = data(12, 3), data(12, 4, 1)
    n, one = 12, np.ones(12)
    k, l = x @ x.T, y @ y.T  # noqa: E741
    np.fill_diagonal(k, 0)
    np.fill_diagonal(l, 0)
    song = np.trace(k @ l) + (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2)) - 2 * (one @ k @ l @ one) / (n - 2)
    assert hsic(x, y) == pytest.approx(song / (n * (n - 3)))
    values = [hsic(data(12, 3, 2 * i), data(12, 4, 2 * i + 1)) for i in range(225)]
    assert abs(np.mean(values)) < 4 * np.std(values) / 15


def test_cka_is_one_under_orthogonal_maps_scales_and_shifts_and_near_zero_for_independent_features():
    x = data(40, 60)
    q = np.linalg.qr(data(60, 60, 1))[0]
    assert cka(x, 1e-200 * x @ q + 5e-200) == pytest.approx(1)
    assert cka(x, -1e200 * x) == pytest.approx(1)
    assert cka(x, x @ data(60, 60, 2)) < 0.9, "not invariant under every map"
    values = [cka(data(30, 200, 2 * i), data(30, 200, 2 * i + 1)) for i in range(64)]
    assert abs(np.mean(values)) < 4 * np.std(values) / 8, "debiased: although p is far above n"
    assert np.isnan(cka(x[:3], x[:3])) and np.isnan(cka(x, np.ones((40, 2))))


def test_cca_is_invariant_under_invertible_maps_and_knows_partial_overlap():
    x = data(200, 6)
    assert mean_cca(basis(x), basis(x @ data(6, 6, 1) + 3)) == pytest.approx(1)
    assert pwcca(basis(x), basis(x @ data(6, 6, 1))) == pytest.approx(1)
    u = np.linalg.qr(data(200, 7, 3) - data(200, 7, 3).mean(axis=0))[0]
    u -= u.mean(axis=0)
    u = np.linalg.qr(u)[0]
    angles = np.array([0.2, 0.7, 1.1])
    y = np.cos(angles) * u[:, :3] + np.sin(angles) * u[:, 3:6]
    found = similarity.canonical_correlations(basis(u[:, :3] @ data(3, 3, 4)), basis(y @ data(3, 3, 5)))
    np.testing.assert_allclose(found, np.cos(angles), rtol=1e-9)
    # PWCCA weighs the canonical variates by what they explain of X.
    x = u[:, :3] * [5.0, 2.0, 1.0]
    assert pwcca(basis(x), basis(y)) == pytest.approx([5, 2, 1] @ np.cos(angles) / 8)


def test_svcca_drops_directions_of_little_variance():
    x = data(100, 5) * [1, 1, 1, 1e-3, 1e-3]
    assert basis(x, 0.99).vectors.shape == (100, 3)
    assert basis(x).vectors.shape == (100, 5)
    assert basis(np.ones((9, 4))).vectors.shape == (9, 0)


def test_cca_does_not_exist_for_as_many_features_as_examples():
    x, y = data(20, 19), data(20, 3, 1)
    found = similarities(x, y, 9, np.random.default_rng(0), variance=0.9)
    assert np.isnan(found["cca"].value) and np.isnan(found["pwcca"].p)
    assert np.isfinite(found["cka"].value) and np.isfinite(found["svcca"].value)
    assert all(np.isnan(item.value) for item in similarities(x, np.ones((20, 2)), 9, np.random.default_rng(0)).values())


def test_permutations_calibrate_all_similarities():
    rng = np.random.default_rng(6)
    p = {name: [] for name in ("cka", "cca", "svcca", "pwcca")}
    for _ in range(60):
        found = similarities(rng.standard_normal((25, 4)), rng.standard_normal((25, 6)), 19, rng)
        for name, item in found.items():
            p[name].append(item.p)
    for values in p.values():
        assert kstest(np.array(values) - rng.random(60) / 20, "uniform").pvalue > 0.001
    x = rng.standard_normal((25, 4))
    related = similarities(x, x + 0.1 * rng.standard_normal((25, 4)), 19, rng)
    assert all(item.p == 1 / 20 and item.z > 3 for item in related.values())
    with pytest.raises(ValueError, match="25 and 24"):
        similarities(x, x[1:], 1, rng)
