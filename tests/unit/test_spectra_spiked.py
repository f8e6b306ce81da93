import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from htsr.spectra import marchenko_pastur, spiked


@pytest.mark.parametrize("q", [1.0, 2.0, 10.0])
def test_outliers_leave_at_the_edge_and_strengths_come_back(q):
    edge = spiked.threshold(q)
    assert spiked.outlier(edge, q, 3.0) == pytest.approx(marchenko_pastur.edges(q, 3.0)[1], rel=1e-14)
    assert spiked.outlier(0.5 * edge, q, 3.0) == spiked.outlier(edge, q, 3.0)
    strengths = edge * np.array([1.0, 1.01, 2, 50])
    np.testing.assert_allclose(spiked.strength(spiked.outlier(strengths, q, 3.0), q, 3.0), strengths, rtol=1e-6)
    assert np.isnan(spiked.strength([0.0, marchenko_pastur.edges(q)[1] * 0.999, np.nan], q)).all()
    n = 700  # as Martin and Mahoney 2018 write it
    delta2 = n * strengths**2
    np.testing.assert_allclose(spiked.outlier(strengths, q), (1 / q + delta2 / n) * (1 + n / delta2), rtol=1e-12)


def test_overlaps_start_at_0_and_grow_to_1():
    left, right = spiked.overlaps(spiked.threshold(4.0) * np.array([0.5, 1.0, 1.5, 3, 1000]), 4.0)
    for overlap in (left, right):
        assert overlap[:2] == pytest.approx([0, 0], abs=1e-12)
        assert (np.diff(overlap[1:]) > 0).all()
        assert overlap[-1] == pytest.approx(1, abs=1e-5)
    assert (left[2:] < right[2:]).all()
    left, right = spiked.overlaps(2.0, 1.0)
    assert left == right == pytest.approx(1 - 1 / 4)  # 1 - θ⁻² at q = 1


@pytest.mark.parametrize(("n", "m", "theta"), [(400, 100, 1.2), (200, 200, 2.0)])
def test_position_overlap_and_loss_of_sampled_spikes(n, m, theta):
    rng, q, repeats = np.random.default_rng(0), n / m, 16
    found, loss = [], []
    for _ in range(repeats):
        u, v = (x / np.linalg.norm(x) for x in (rng.standard_normal(n), rng.standard_normal(m)))
        signal = 2 * theta * n**0.5 * np.outer(u, v)  # in noise of standard deviation 2
        left, s, right = np.linalg.svd(signal + 2 * rng.standard_normal((n, m)), full_matrices=False)
        found.append([s[0] ** 2 / n, (left[:, 0] @ u) ** 2, (right[0] @ v) ** 2])
        kept = spiked.shrink(s[:1], n, m, 4.0)
        loss.append(np.sum((signal - kept * np.outer(left[:, 0], right[0])) ** 2) / (4 * n))
    overlaps = spiked.overlaps(theta, q)
    error = np.std(found, axis=0, ddof=1) / repeats**0.5
    expected = np.array([spiked.outlier(theta, q, 4.0), *overlaps])
    assert (np.abs(np.mean(found, axis=0) - expected) < 4 * error).all()
    least = theta**2 * (1 - overlaps[0] * overlaps[1])  # Gavish and Donoho 2017
    assert np.mean(loss) == pytest.approx(least, abs=4 * np.std(loss, ddof=1) / repeats**0.5)


@pytest.mark.parametrize("loss", ["frobenius", "operator", "nuclear"])
@pytest.mark.parametrize("q", [1.0, 3.0])
def test_shrinkage_has_the_least_loss(loss, q):
    """In the plane of a vector and its estimate the signal is θ e₁e₁ᵀ and its estimate η û v̂ᵀ."""
    n, m, order = 300, round(300 / q), {"frobenius": "fro", "operator": 2, "nuclear": "nuc"}[loss]
    for theta in spiked.threshold(q) * np.array([1.05, 1.5, 3.0]):
        c, d = (x**0.5 for x in spiked.overlaps(theta, q))
        estimate = np.outer([c, (1 - c**2) ** 0.5], [d, (1 - d**2) ** 0.5])

        def error(eta, theta=theta, estimate=estimate):
            return np.linalg.norm(theta * np.array([[1, 0], [0, 0]]) - eta * estimate, order)

        s = np.sqrt(spiked.outlier(theta, q) * n * 0.25)
        eta = float(spiked.shrink(s, n, m, 0.25, loss)) / np.sqrt(n * 0.25)
        least = minimize_scalar(error, bounds=(0, 2 * theta), method="bounded", options={"xatol": 1e-10}).fun
        assert error(eta) == pytest.approx(min(least, error(0)), rel=1e-6)


def test_shrinkage_in_closed_form():
    y, beta = np.array([1.0, 1.9, 2.0, 5.0]), 2 / 3
    root = np.sqrt(np.maximum((y**2 - beta - 1) ** 2 - 4 * beta, 0))
    expected = np.where(y > 1 + beta**0.5, root / y, 0)  # Gavish and Donoho 2017, eq. 7
    for scale in (1e-3, 1, 1e3):
        unit = scale * 300**0.5
        np.testing.assert_allclose(spiked.shrink(unit * y, 300, 200, scale**2) / unit, expected, rtol=1e-9)
    with pytest.raises(ValueError, match="frobenius, operator or nuclear"):
        spiked.shrink(y, 300, 200, 1.0, "spectral")


def test_hard_threshold():
    assert spiked.hard_threshold(100, 100, 4.0) == pytest.approx(4 / 3**0.5 * 20)
    for m in (100, 30):  # keeping the singular value costs there as much as dropping it: y² = 2yθcc̃
        y = spiked.hard_threshold(100, m, 1.0) / 10
        theta = spiked.strength(y**2, 100 / m)
        left, right = spiked.overlaps(theta, 100 / m)
        assert y == pytest.approx(2 * theta * np.sqrt(left * right), rel=1e-9)
