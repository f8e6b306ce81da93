import numpy as np
import pytest
from scipy.linalg import subspace_angles
from scipy.stats import ks_2samp, kstest, wasserstein_distance

from htsr.spectra import distances


def haar(n, k, rng):
    return np.linalg.qr(rng.standard_normal((n, k)))[0]


def test_wasserstein_and_ks_of_scaled_and_unequal_samples():
    rng = np.random.default_rng(0)
    values = np.concatenate([[0.0], rng.exponential(size=40)])
    logs = distances.log_eigenvalues(values)
    assert len(logs) == 40 and (np.diff(logs) >= 0).all()
    for c in (7.0, 0.2):
        scaled = distances.log_eigenvalues(c * values)
        assert distances.wasserstein(logs, scaled) == pytest.approx(abs(np.log(c)))
    x, y = np.sort(rng.standard_normal(30)), np.sort(rng.standard_normal(17) + 1)
    assert distances.wasserstein(x, y) == pytest.approx(wasserstein_distance(x, y))
    assert distances.ks_distance(x, y) == pytest.approx(ks_2samp(x, y).statistic)
    assert np.isnan(distances.wasserstein(x, y[:0])) and np.isnan(distances.ks_distance(x[:0], y))


def test_spectral_distances_are_calibrated_for_independent_values_and_conservative_for_eigenvalues():
    rng = np.random.default_rng(1)
    p = [
        distances.spectral_distances(rng.exponential(size=30), rng.exponential(size=20), 39, rng)[0].p
        for _ in range(200)
    ]
    assert abs(np.mean(np.array(p) <= 0.1) - 0.1) < 3.3 * (0.09 / 200) ** 0.5
    first, second = (np.linalg.svd(rng.standard_normal((60, 40)), compute_uv=False) ** 2 for _ in range(2))
    assert distances.spectral_distances(first, second, 39, rng)[0].p > 0.9
    assert distances.spectral_distances(first, 10 * second, 39, rng)[0].p == 1 / 40
    assert np.isnan(distances.spectral_distances(first, np.zeros(4), 39, rng)[0].value)


def test_relative_distance_and_cosine():
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal((2, 100, 80)).astype(np.float32)
    assert distances.relative_distance(a, 3 * a) == pytest.approx(2)
    assert distances.relative_distance(a, b) == pytest.approx(2**0.5, rel=0.03)
    assert distances.cosine(a, -2 * a) == pytest.approx(-1)
    assert abs(distances.cosine(1e-3 * a, b)) < 4 / 8000**0.5
    zero = np.zeros_like(a)
    assert np.isnan(distances.relative_distance(zero, a)) and np.isnan(distances.cosine(a, zero))


def test_principal_angles_in_closed_form():
    e = np.eye(6)
    angles = np.array([1e-9, 0.3, 1.2])
    turned = np.cos(angles) * e[:, :3] + np.sin(angles) * e[:, 3:]
    np.testing.assert_allclose(distances.principal_angles(e[:, :3], turned), angles, rtol=1e-7, atol=1e-16)
    rng = np.random.default_rng(3)
    u, v = haar(20, 5, rng), haar(20, 3, rng)
    np.testing.assert_allclose(distances.principal_angles(u, v), subspace_angles(u, v)[::-1], atol=1e-12)
    np.testing.assert_allclose(distances.principal_angles(v, u), subspace_angles(u, v)[::-1], atol=1e-12)


@pytest.mark.parametrize(("n", "k", "l"), [(15, 1, 1), (20, 3, 5), (30, 10, 10)])
def test_overlap_of_random_subspaces(n, k, l):  # noqa: E741
    rng = np.random.default_rng(4)
    u = np.eye(n)[:, :k]
    found = [distances.subspace_overlap(u, haar(n, l, rng)) for _ in range(400)]
    values = np.array([item.value for item in found])
    assert abs(values.mean() - found[0].null) < 4 * values.std() / 400**0.5
    assert values.std() == pytest.approx(found[0].null_std, rel=0.15)
    assert kstest([item.p for item in found], "uniform").pvalue > 0.001


def test_overlap_of_equal_orthogonal_whole_and_empty_subspaces():
    e = np.eye(10)
    same = distances.subspace_overlap(e[:, :3], e[:, [2, 0, 1]])
    assert same.value == 1 and same.p < 1e-6 and same.z > 5
    assert distances.subspace_overlap(e[:, :3], e[:, 3:5]).value == 0
    whole = distances.subspace_overlap(e, e[:, :2])
    assert (whole.value, whole.p) == (1, 1) and np.isnan(whole.z)
    assert np.isnan(distances.subspace_overlap(e[:, :0], e[:, :2]).value)


def test_calibrate():
    found = distances.calibrate(2.0, np.array([1.0, 2.0, 3.0]))
    assert found == (2.0, 2.0, pytest.approx((2 / 3) ** 0.5), 0.75) and found.z == 0
    assert distances.calibrate(2.0, np.empty(0)).value == 2.0
    assert np.isnan(distances.calibrate(np.nan, np.ones(3)).p)
