import numpy as np
import pytest

from htsr.spectra import fuss_catalan, marchenko_pastur
from htsr.spectra.fuss_catalan import cdf, density, edges, moment, quantile

CASES = [(1, 1.0), (2, 1.0), (3, 1.0), (10, 1.0), (1, 0.5), (2, 0.5), (3, 0.3), (10, 0.5), (4, 0.9)]


def test_moments_and_edges_are_fuss_catalan():
    assert [moment(k, 1) for k in (1, 2, 3)] == [1, 2, 5]
    assert [moment(k, 2) for k in (1, 2, 3)] == [1, 3, 12]
    assert [moment(k, 3) for k in (1, 2, 3)] == [1, 4, 22]
    for depth, edge in ((1, 4), (2, 6.75), (3, 256 / 27)):
        assert edges(depth) == (0, pytest.approx(edge))


@pytest.mark.parametrize("depth", [1, 2, 7, 30])
def test_relu_variance_is_twice_the_depth(depth):
    assert moment(1, depth, 0.5) == 1
    assert moment(2, depth, 0.5) - 1 == pytest.approx(2 * depth)


@pytest.mark.parametrize(("depth", "active"), CASES)
def test_moments_of_the_quantiles_are_those_of_the_law(depth, active):
    """E x^k = ∫ Q(u)^k du, with nodes that crowd at the upper edge."""
    t = (np.arange(20_000) + 0.5) / 20_000
    u, weight = 1 - (1 - t) ** 3, 3 * (1 - t) ** 2 / 20_000
    x = quantile(u, depth, active)
    for k in (1, 2, 3):
        assert (weight * x**k).sum() == pytest.approx(moment(k, depth, active), rel=1e-5)


@pytest.mark.parametrize(("depth", "active"), CASES)
def test_density_is_the_derivative_of_the_distribution(depth, active):
    low, high = edges(depth, active)
    x = low + (high - low) * np.geomspace(1e-6, 0.999, 60)
    step = 1e-3 * np.minimum(x - low, high - x)  # less, and the rounding of the atom beside it counts
    slope = (cdf(x + step, depth, active) - cdf(x - step, depth, active)) / (2 * step)
    np.testing.assert_allclose(density(x, depth, active), slope, rtol=1e-4)


@pytest.mark.parametrize(("depth", "active"), CASES)
def test_resolvent_solves_the_polynomial(depth, active):
    """(1 + z)(1 + z/p)^L = xz has a root whose imaginary part is πxρ."""
    low, high = edges(depth, active)
    for x in low + (high - low) * np.array([0.01, 0.2, 0.5, 0.9]):
        powers = np.poly1d([1, 1]) * np.poly1d([1 / active, 1]) ** depth - np.poly1d([x, 0])
        assert np.abs(powers.roots.imag - np.pi * x * density(x, depth, active)).min() < 1e-5


@pytest.mark.parametrize(("depth", "active"), CASES)
def test_mass_atom_and_inverse(depth, active):
    low, high = edges(depth, active)
    assert cdf(high, depth, active) == cdf(1e9, depth, active) == 1
    assert cdf(-1e-9, depth, active) == 0
    assert cdf(0.0, depth, active) == pytest.approx(1 - active)
    u = np.linspace(0, 1, 41)
    x = quantile(u, depth, active)
    np.testing.assert_allclose(cdf(x, depth, active), np.maximum(u, 1 - active), atol=1e-12)
    assert x[0] == pytest.approx(low if active == 1 else 0)
    assert x[-1] == pytest.approx(high)
    outside = np.array([-1.0, low / 2, high * 1.001])
    assert density(outside, depth, active).tolist() == [0, 0, 0]


def test_single_layers_are_marchenko_pastur():
    x = np.linspace(0.01, 6, 200)
    np.testing.assert_allclose(density(x, 1), marchenko_pastur.density(x, 1.0), atol=1e-10)
    np.testing.assert_allclose(cdf(x, 1), marchenko_pastur.cdf(x, 1.0), atol=1e-12)
    half = density(x, 1, 0.5), 0.5 * marchenko_pastur.density(x, 2.0, 2.0)
    np.testing.assert_allclose(*half, atol=1e-8)
    np.testing.assert_allclose(cdf(x, 1, 0.5), 0.5 + 0.5 * marchenko_pastur.cdf(x, 2.0, 2.0), atol=1e-12)
    assert edges(1, 0.5) == pytest.approx(marchenko_pastur.edges(2.0, 2.0))


def test_divergence_at_zero_and_scale():
    x = np.array([1e-12, 1e-10])
    for depth, active, slope in ((3, 1.0, -3 / 4), (1, 1.0, -1 / 2), (3, 0.5, 1 / 3 - 1), (2, 0.5, -1 / 2)):
        logs = np.log(density(x, depth, active))
        assert np.diff(logs)[0] / np.log(100) == pytest.approx(slope, abs=2e-3)
    x = np.linspace(0.1, 20, 30)
    np.testing.assert_allclose(density(x, 2, 0.5, mean=3.0), density(x / 3, 2, 0.5) / 3)
    np.testing.assert_allclose(cdf(x, 2, 0.5, mean=3.0), cdf(x / 3, 2, 0.5))
    np.testing.assert_allclose(quantile(0.8, 2, 0.5, mean=3.0), 3 * quantile(0.8, 2, 0.5))
    np.testing.assert_allclose(edges(2, 0.5, 3.0), 3 * np.array(edges(2, 0.5)))


@pytest.mark.parametrize(("depth", "active"), [(1, 1.0), (3, 1.0), (2, 0.5), (4, 0.5)])
def test_law_is_that_of_simulated_products(depth, active):
    n, rng = 300, np.random.default_rng(0)
    values = []
    for _ in range(3):
        j = np.eye(n)
        for _ in range(depth):
            units = rng.random(n) < active
            j = units[:, None] * (rng.standard_normal((n, n)) / np.sqrt(active * n) @ j)
        values.append(np.linalg.svd(j, compute_uv=False) ** 2)
    x = np.sort(np.concatenate(values))
    x[x < 1e-12] = 0
    at = np.linspace(0, edges(depth, active)[1], 50)
    empirical = np.searchsorted(x, at, "right") / len(x)
    # Fluctuations of a distribution function of eigenvalues are of order 1/n, the share of active units scatters more.
    np.testing.assert_allclose(empirical, cdf(at, depth, active), atol=0.01 if active == 1 else 0.05)
    assert x.mean() == pytest.approx(1, abs=0.15)


def test_quantile_near_zero_keeps_its_digits():
    u = np.array([1e-6, 1e-4])
    x = quantile(u, 2)
    assert (x > 0).all()
    np.testing.assert_allclose(cdf(x, 2), u, rtol=1e-9)
    assert fuss_catalan.quantile(0.3, 2, 0.5) == 0
