import mpmath
import numpy as np
import pytest

from htsr.spectra import high_temperature, marchenko_pastur
from htsr.spectra.ensembles import laguerre_singular_values
from htsr.spectra.high_temperature import cdf, density, fit, tail_exponent


def by_tricomi(x, q, kappa):
    """The formula with Tricomi's function."""
    a, b = kappa * (q - 1) / 2 - 1, kappa / 2
    y = mpmath.mpf(b * q * x)
    u = mpmath.hyperu(b, -a, mpmath.mpc(-y, -1e-30))
    return float(b * q / (mpmath.gamma(b + 1) * mpmath.gamma(a + b + 1)) * y**a * mpmath.exp(-y) / abs(u) ** 2)


@pytest.mark.parametrize(("q", "kappa"), [(2, 1.0), (1, 3.0), (3, 12.0), (4, 0.1), (1.2, 0.06)])
def test_density_is_that_of_the_associated_laguerre_polynomials(q, kappa):
    x = np.array([1e-5, 0.02, 0.3, 1.0, 2.5, 6.0])
    expected = np.array([by_tricomi(value, q, kappa) for value in x])
    seen = expected > 1e-12
    np.testing.assert_allclose(density(x, q, kappa)[seen], expected[seen], rtol=1e-6)
    assert density([-1.0, 0.0], q, kappa).tolist() == cdf([-1.0, 0.0], q, kappa).tolist() == [0, 0]


@pytest.mark.parametrize(("q", "kappa"), [(2, 1.0), (1.5, 8.0), (3, 60.0)])
def test_law_is_normalized_with_mean_1(q, kappa):
    log_x = np.linspace(-70, 5, 60_001)
    x = np.exp(log_x)
    rho = density(x, q, kappa) * x
    assert np.trapezoid(rho, log_x) == pytest.approx(1, abs=1e-6)
    assert np.trapezoid(rho * x, log_x) == pytest.approx(1, abs=1e-6)
    integral = np.concatenate([[0], np.cumsum((rho[1:] + rho[:-1]) / 2 * np.diff(log_x))])
    np.testing.assert_allclose(cdf(x, q, kappa), integral, atol=1e-5)


def test_inverse_law_and_its_tail():
    q, kappa = 2, 3.0
    z = np.geomspace(0.2, 1e7, 50)
    np.testing.assert_allclose(density(z, q, kappa, inverse=True), density(1 / z, q, kappa) / z**2, rtol=1e-12)
    np.testing.assert_allclose(cdf(z, q, kappa, inverse=True), 1 - cdf(1 / z, q, kappa), atol=1e-12)
    tail = np.log(density(np.array([1e6, 1e7]), q, kappa, inverse=True))
    assert -np.diff(tail)[0] / np.log(10) == pytest.approx(tail_exponent(q, kappa), abs=1e-4)
    assert tail_exponent(q, kappa) == 2.5
    assert np.isnan(tail_exponent(q, kappa, inverse=False))


def test_cold_limit_is_marchenko_pastur():
    x = np.linspace(0.2, 2.5, 20)
    far = np.abs(density(x, 2, 25.0) - marchenko_pastur.density(x, 2.0)).max()
    near = np.abs(density(x, 2, 100.0) - marchenko_pastur.density(x, 2.0)).max()
    assert near < far / 3 < 0.02


def test_fit_finds_kappa_whatever_the_scale():
    values = laguerre_singular_values(600, 300, 2 / 300, np.random.default_rng(0)) ** 2
    found = fit(values, 2.0)
    assert found.kappa == pytest.approx(2, rel=0.3)  # its scatter is 8 %
    assert found.factor * values.mean() == pytest.approx(1)
    inverse = fit(1e-3 / values, 2.0, inverse=True)
    assert inverse.kappa == pytest.approx(found.kappa, rel=1e-6)
    assert inverse.factor == pytest.approx(1e-3 * found.factor)
    expected = np.mean(np.log(density(values * found.factor, 2.0, found.kappa) * found.factor))
    assert found.log_likelihood == pytest.approx(expected, rel=1e-9)


def test_too_few_or_infinite_eigenvalues_have_no_fit():
    assert fit(np.arange(10.0), 2.0) is None
    assert fit(np.array([*range(1, 20), np.inf]), 2.0) is None
    assert fit(np.array([*range(1, 20), np.nan]), 2.0) is None
    assert high_temperature.fit(np.ones(0), 2.0) is None
