import numpy as np
import pytest
from scipy.integrate import quad
from scipy.linalg import eigvalsh_tridiagonal
from scipy.special import airy
from scipy.stats import kstest

from htsr.spectra import marchenko_pastur, semicircle, tracy_widom
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


@pytest.mark.parametrize(
    ("beta", "mean", "variance"),
    [(1, -1.2065335745820, 1.607781034581), (2, -1.771086807411, 0.8131947928329)],  # Bornemann 2010, table 10
)
def test_tracy_widom_moments_of_the_tables(beta, mean, variance):
    node, weight = np.polynomial.legendre.leggauss(200)
    s, weight = 2 + 12 * node, 12 * weight  # on (-10, 14): E f(S) = f(-10) + ∫ f' P(S > s) ds
    survival = tracy_widom.survival(s, beta)
    first, second = -10 + weight @ survival, 100 + weight @ (2 * s * survival)
    assert first == pytest.approx(mean, abs=1e-8)
    assert second - first**2 == pytest.approx(variance, abs=1e-7)


@pytest.mark.parametrize("beta", [1, 2])
def test_tracy_widom_survival_of_arrays(beta):
    s = np.linspace(-8.03, 4, 40)
    np.testing.assert_allclose(tracy_widom.survival(s, beta), [1 - tracy_widom.cdf(x, beta) for x in s], atol=1e-8)
    far = 9.37  # the first term of the determinant, the trace, is all but 1e-9 of it
    trace = quad(lambda x: airy(x)[0] / 2 if beta == 1 else (x - far) * airy(x)[0] ** 2, far, far + 12, epsabs=0)[0]
    assert tracy_widom.survival(far, beta) == pytest.approx(trace, rel=1e-7)
    ends = tracy_widom.survival([-np.inf, -30, 61, np.inf, np.nan], beta)
    np.testing.assert_array_equal(ends, [1, 1, 0, 0, np.nan])
    assert (np.diff(tracy_widom.survival(np.linspace(-5, 60, 500), beta)) < 0).all()


def test_largest_eigenvalue_of_wigner_matrices_follows_tracy_widom():
    """On the tridiagonal form of the Gaussian orthogonal ensemble (Dumitriu and Edelman 2002)."""
    rng, n, repeats = np.random.default_rng(0), 50, 800
    centre, scale = tracy_widom.largest_wigner_eigenvalue(n)
    found = np.empty(repeats)
    for i in range(repeats):
        diagonal, beside = 2**0.5 * rng.standard_normal(n), np.sqrt(rng.chisquare(np.arange(n - 1, 0, -1)))
        found[i] = eigvalsh_tridiagonal(diagonal, beside, select="i", select_range=(n - 1, n - 1))[0]
    found = (found - centre) / scale
    assert found.mean() == pytest.approx(-1.2065, abs=4 * (1.608 / repeats) ** 0.5)
    assert found.var() == pytest.approx(1.608, abs=0.35)


def test_semicircle():
    x = np.linspace(-3, 3, 60_001)
    np.testing.assert_allclose(semicircle.cdf(x, 2.0), np.cumsum(semicircle.density(x, 2.0)) * 1e-4, atol=1e-4)
    p = np.linspace(0, 1, 101)
    np.testing.assert_allclose(semicircle.cdf(semicircle.quantile(p, 2.0), 2.0), p, atol=1e-12)
    assert semicircle.edges(2.0) == pytest.approx((-(8**0.5), 8**0.5))
    assert semicircle.density([-3, 0, 3], 2.0) == pytest.approx([0, 1 / (np.pi * 2**0.5), 0])
    w = np.random.default_rng(0).standard_normal((300, 300))
    assert kstest(np.linalg.eigvalsh((w + w.T) / 600**0.5), semicircle.cdf).statistic < 0.01


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


@pytest.mark.parametrize("q", [1.0, 1.0001, 2.0, 100.0, 1e6, 1e9])
def test_marchenko_pastur_quantile_inverts_the_cdf(q):
    p = np.linspace(0, 1, 101)
    x = quantile(p, q, 0.3)
    assert (np.diff(x) > 0).all()
    np.testing.assert_allclose(cdf(x, q, 0.3), p, atol=1e-15 * max(q, 1e6) ** 0.5)


def test_marchenko_pastur_law_of_long_matrices_is_a_semicircle():
    """(λ - 1)√q follows the semicircle of radius 2 up to 1/√q."""
    s = np.linspace(-2, 2, 21)
    np.testing.assert_allclose(cdf(1 + s * 1e-5, 1e10), semicircle.cdf(s), atol=1e-5)


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


def gaussian_spectrum(n, m, rng):
    """Of X for a Gaussian W, from its bidiagonal form (Dumitriu and Edelman 2002)."""
    first, second = rng.chisquare(n - np.arange(m)), rng.chisquare(m - np.arange(1, m))
    diagonal = first + np.concatenate([[0], second])
    return np.maximum(np.sort(eigvalsh_tridiagonal(diagonal, np.sqrt(first[:-1] * second))), 0) / n


@pytest.mark.parametrize(("n", "m"), [(40, 40), (90, 30)])
def test_the_null_of_the_edge_is_rejected_at_its_rate(n, m):
    rng, repeats = np.random.default_rng(5), 600
    fits = [fit_bulk(gaussian_spectrum(n, m, rng), n) for _ in range(repeats)]
    p = np.array([fit.edge_p for fit in fits])
    for level in (0.01, 0.05, 0.5):
        assert np.mean(p < level) == pytest.approx(level, abs=3.5 * (level * (1 - level) / repeats) ** 0.5)
    sigma2 = np.array([fit.sigma2 for fit in fits])
    assert sigma2.mean() == pytest.approx(1, abs=4 * sigma2.std() / repeats**0.5)
    assert np.mean([fit.sigma2_stderr for fit in fits]) == pytest.approx(sigma2.std(), rel=0.1)
    assert np.mean([fit.n_spikes > 0 for fit in fits]) == pytest.approx(np.mean(p < 0.01), abs=0.005)


def test_pooled_matrices_are_judged_together():
    rng, repeats = np.random.default_rng(6), 120
    pools = (np.sort(np.concatenate([gaussian_spectrum(40, 30, rng) for _ in range(9)])) for _ in range(repeats))
    p = np.array([fit_bulk(pool, 40, 9).edge_p for pool in pools])
    for level in (0.05, 0.5):
        assert np.mean(p < level) == pytest.approx(level, abs=3.5 * (level * (1 - level) / repeats) ** 0.5)


def test_spikes_and_their_absence_in_the_other_fields_of_the_bulk():
    values = gaussian_spectrum(200, 100, np.random.default_rng(0))
    noise = fit_bulk(values, 200)
    assert noise.lambda_plus_stderr / noise.lambda_plus == pytest.approx(noise.sigma2_stderr / noise.sigma2)
    assert 0.05 < noise.edge_p < 1
    assert noise.ks_distance < 0.04
    assert noise.share_beyond == np.mean(values > noise.lambda_plus) <= 0.02
    spiked = fit_bulk(np.append(values[:-2], [6.0, 20.0]), 200)
    assert spiked.n_spikes == 2 and spiked.share_beyond >= 0.02
    assert spiked.edge_p < 1e-9 and spiked.ks_distance < 0.04
    uniform = fit_bulk(np.linspace(0.01, 2, 100), 200)
    assert uniform.ks_distance > 0.1 and uniform.sigma2_stderr > 3 * noise.sigma2_stderr


@pytest.mark.filterwarnings("error")
def test_spectra_that_are_no_bulk():
    values = np.linspace(1, 2, 30)
    for end in (np.inf, np.nan):
        assert fit_bulk(np.append(values, end), 40) is None
    assert fit_bulk(np.array([3.0]), 5) is None and fit_bulk(np.empty(0), 5) is None
    for repeated in (np.ones(30), np.repeat([1e-300, 1.0, 1e300], 10), np.geomspace(1e-300, 1e300, 500)):
        fit = fit_bulk(repeated, 600)
        assert fit.sigma2 > 0 and 0 <= fit.edge_p <= 1 and 0 <= fit.ks_distance <= 1 and fit.n_spikes < len(repeated)


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
