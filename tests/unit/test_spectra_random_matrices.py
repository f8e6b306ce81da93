import numpy as np
import pytest

from htsr.spectra import marchenko_pastur, tracy_widom
from htsr.spectra.eigenvalues import eigenvalues
from htsr.spectra.marchenko_pastur import cdf, density, edges, fit_bulk, quantile


@pytest.mark.parametrize(
    ("beta", "p", "expected"),
    [
        (1, 0.05, -3.1804),
        (1, 0.90, 0.4501),
        (1, 0.95, 0.9793),
        (1, 0.99, 2.0234),
        (2, 0.95, -0.2325),
        (2, 0.99, 0.4776),
    ],
)
def test_tracy_widom_quantiles_of_the_tables(beta, p, expected):
    assert tracy_widom.quantile(p, beta) == pytest.approx(expected, abs=6e-5)
    assert tracy_widom.cdf(tracy_widom.quantile(p, beta), beta) == pytest.approx(p, abs=1e-10)


def test_tracy_widom_from_the_painleve_equation():
    """F2 = exp(-∫(x-s)q²), F1² = F2·exp(-∫q) with q'' = sq + 2q³, q ~ Ai (Hastings and McLeod)."""
    from scipy.integrate import solve_ivp
    from scipy.special import airy

    def slope(s, y):
        q, dq, integral_q2, _, _ = y
        return [dq, s * q + 2 * q**3, -(q**2), -integral_q2, -q]

    ai, dai, _, _ = airy(8.0)
    tail = np.linspace(8, 20, 4001)
    a = airy(tail)[0]
    start = [ai, dai, np.trapezoid(a**2, tail), np.trapezoid((tail - 8) * a**2, tail), np.trapezoid(a, tail)]
    s = np.array([1.0, 0.0, -1.0, -2.0, -3.0])
    y = solve_ivp(slope, (8, -3), start, "DOP853", s, rtol=1e-12, atol=1e-16).y
    f2 = np.exp(-y[3])
    np.testing.assert_allclose([tracy_widom.cdf(x, 2) for x in s], f2, atol=1e-7)
    np.testing.assert_allclose([tracy_widom.cdf(x, 1) for x in s], np.sqrt(f2 * np.exp(-y[4])), atol=1e-7)


def test_tracy_widom_needs_a_known_law():
    with pytest.raises(ValueError, match="beta = 4"):
        tracy_widom.cdf(0.0, 4)
    with pytest.raises(ValueError, match="0 < p < 1"):
        tracy_widom.quantile(1.0)


def test_largest_eigenvalue_of_gaussian_matrices_follows_tracy_widom():
    rng = np.random.default_rng(0)
    centre, scale = tracy_widom.largest_eigenvalue(120, 60)
    largest = np.array([eigenvalues(rng.standard_normal((120, 60)))[-1] for _ in range(400)])
    found = (largest - centre) / scale
    for p in (0.1, 0.5, 0.9):
        assert np.mean(found < tracy_widom.quantile(p)) == pytest.approx(p, abs=0.05)


@pytest.mark.parametrize("q", [1.0, 1.5, 2.0, 30.0])
def test_marchenko_pastur_cdf_is_the_integral_of_the_density(q):
    low, high = edges(q, 2.5)
    angle = np.linspace(0, np.pi / 2, 20_001)  # λ = low + (high - low) sin² removes the singularities of the density
    x = low + (high - low) * np.sin(angle) ** 2
    slope = (high - low) * np.sin(2 * angle)
    rho = density(x, q, 2.5) * slope
    inner = slice(1, -1)
    integral = np.concatenate([[0], np.cumsum((rho[inner][1:] + rho[inner][:-1]) / 2 * np.diff(angle[inner]))])
    np.testing.assert_allclose(cdf(x[inner], q, 2.5), integral, atol=2e-4)
    assert cdf([low - 1, high + 1], q, 2.5) == pytest.approx([0, 1], abs=1e-12)
    assert density([low - 0.1, high + 0.1], q, 2.5).tolist() == [0, 0]
    first_moment = np.trapezoid(x[inner] * rho[inner], angle[inner])
    assert first_moment == pytest.approx(2.5, rel=1e-3)  # mean σ²


@pytest.mark.parametrize("q", [1.0, 1.0001, 2.0, 100.0])
def test_marchenko_pastur_quantile_inverts_the_cdf(q):
    p = np.linspace(0, 1, 101)
    x = quantile(p, q, 0.3)
    assert (np.diff(x) > 0).all()
    np.testing.assert_allclose(cdf(x, q, 0.3), p, atol=1e-12)


def test_quarter_circle_law_at_q_1():
    """√λ of a square matrix has the density √(4 - s²)/π: a quarter of a circle."""
    s = np.array([0.3, 1.0, 1.7])
    expected = (s * np.sqrt(4 - s**2) / 2 + 2 * np.arcsin(s / 2)) / np.pi
    np.testing.assert_allclose(cdf(s**2, 1.0), expected, atol=1e-14)


def test_bulk_of_a_gaussian_matrix():
    w = np.random.default_rng(0).standard_normal((600, 300))
    fit = fit_bulk(eigenvalues(w) / 600, 600)
    assert fit.lambda_plus * 600 == pytest.approx((600**0.5 + 300**0.5) ** 2, rel=0.01)
    assert fit.n_spikes == 0
    assert abs(fit.sigma2 - 1) < 4 * fit.sigma2_stderr < 0.03


def test_spikes_are_found_and_do_not_move_the_bulk():
    rng = np.random.default_rng(1)
    w = rng.standard_normal((600, 300))
    u, v = np.linalg.qr(rng.standard_normal((600, 6)))[0], np.linalg.qr(rng.standard_normal((300, 6)))[0]
    spiked = w + (u * np.sqrt(600) * np.linspace(2, 40, 6)) @ v.T
    fit = fit_bulk(eigenvalues(spiked) / 600, 600)
    assert fit.n_spikes == 6
    assert fit.sigma2 == pytest.approx(fit_bulk(eigenvalues(w) / 600, 600).sigma2, rel=0.02)
    assert fit.lambda_plus < fit.threshold


@pytest.mark.parametrize(("n", "m", "n_matrices"), [(64, 64, 1), (64, 64, 9), (128, 64, 1)])
def test_spike_level_and_standard_error_hold_on_noise(n, m, n_matrices):
    rng = np.random.default_rng(2)
    fits = []
    for _ in range(120):
        values = [eigenvalues(rng.standard_normal((n, m))) / n for _ in range(n_matrices)]
        fits.append(fit_bulk(np.sort(np.concatenate(values)), n, n_matrices, level=0.95))
    sigma2 = np.array([fit.sigma2 for fit in fits])
    assert np.mean([fit.n_spikes > 0 for fit in fits]) < 0.12
    assert np.mean(sigma2) == pytest.approx(1, abs=0.01)
    assert np.mean([fit.sigma2_stderr for fit in fits]) == pytest.approx(np.std(sigma2), rel=0.3)


def test_zero_columns_leave_the_bulk_of_the_others():
    w = np.random.default_rng(3).standard_normal((600, 300))
    w[:, 100:] = 0
    fit = fit_bulk(eigenvalues(w) / 600, 600)
    assert fit.lambda_plus == pytest.approx(edges(6.0)[1], rel=0.02)


def test_too_few_eigenvalues_have_no_bulk():
    assert fit_bulk(np.arange(9.0), 20) is None
    assert fit_bulk(np.zeros(50), 60) is None
    mostly_zero = np.concatenate([np.zeros(240), np.linspace(1, 2, 10)])
    assert fit_bulk(mostly_zero, 60, n_matrices=25).sigma2 > 0


def test_bulk_scales_with_the_matrix():
    values = eigenvalues(np.random.default_rng(4).standard_t(3, (200, 100))) / 200
    one, other = fit_bulk(values, 200), fit_bulk(values * 1e-12, 200)
    np.testing.assert_allclose(np.array(other[:4]) * 1e12, one[:4], rtol=1e-12)
    assert other.n_spikes == one.n_spikes > 0
    assert marchenko_pastur.edges(2.0, one.sigma2)[1] == one.lambda_plus
