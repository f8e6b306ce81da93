import numpy as np
import pytest

from htsr.spectra.lanczos import INVARIANT, NOT_FINITE, lanczos_together, top
from htsr.spectra.quadrature import cumulative, density, quadrature, trace, trace_of


def spectrum(size=800, seed=0):
    """A semicircle-like bulk, outliers on both sides."""
    rng = np.random.default_rng(seed)
    return np.sort(np.concatenate([rng.beta(1.5, 1.5, size - 5) - 0.3, [-2, 3, 5, 8, 20]]))


def smoothed(values, grid, width):
    return np.exp(-(((grid[:, None] - values) / width) ** 2) / 2).mean(axis=1) / (width * np.sqrt(2 * np.pi))


def runs(values, probes=20, steps=40, seed=1, **options):
    rng = np.random.default_rng(seed)
    return quadrature(lambda v: values * v, len(values), probes=probes, steps=steps, rng=rng, **options)


def known(values, count):
    """The largest eigenpairs of diag(values)."""
    return values[-count:], np.eye(len(values))[:, -count:]


@pytest.mark.parametrize("deflated", [0, 4])
def test_density_within_its_error_bars(deflated):
    values = spectrum()
    found = runs(values, deflated=known(values, deflated) if deflated else None)
    rho = density(found, width=0.25 if deflated else 1.0)
    assert np.trapezoid(rho.density, rho.grid) == pytest.approx(1, abs=1e-3)
    error = rho.density - smoothed(values, rho.grid, rho.width)
    scale = rho.density.max()
    z = error[rho.density > 1e-3 * scale] / (rho.stderr + 1e-6 * scale)[rho.density > 1e-3 * scale]
    assert np.sqrt(np.mean(z**2)) < 2
    assert np.abs(error).max() < 0.1 * scale
    assert found.products == 20 * 40


def test_rows_sum_to_what_is_not_known():
    values = spectrum()
    found = runs(values, deflated=known(values, 3))
    np.testing.assert_allclose(found.weights.sum(axis=1), 1 - 3 / 800)
    assert found.atoms.tolist() == values[-3:].tolist()
    assert found.nodes.max() < 4
    assert not found.exact.any()
    assert found.status == ""


def test_deflation_lessens_the_error_at_equal_width():
    values = spectrum()
    plain, deflated = runs(values), runs(values, deflated=known(values, 4))
    grid = np.linspace(-1, 2, 300)
    errors = [
        np.abs(density(found, grid, 0.08).density - smoothed(values, grid, 0.08)).mean() for found in (plain, deflated)
    ]
    assert errors[1] < errors[0]


def test_ritz_pairs_serve_as_known_ones():
    values = spectrum()
    pairs = top(lambda v: values * v, 800, 4, np.random.default_rng(0), tolerance=1e-5)
    found = runs(values, deflated=(pairs.values, pairs.vectors))
    total, stderr = trace_of(found, np.asarray)
    assert abs(total - values.sum()) < 4 * stderr + 1e-6


def test_traces_of_functions():
    values = spectrum()
    found = runs(values, probes=30)
    for function in (np.asarray, np.square, lambda x: np.exp(-x), np.ones_like):
        total, stderr = trace_of(found, function)
        assert abs(total - function(values).sum()) <= 4 * stderr + 1e-9
    assert trace_of(found, np.ones_like)[0] == pytest.approx(800)


def test_quadrature_is_exact_for_polynomials_of_its_degree():
    values = spectrum(60)
    found = runs(values, probes=1, steps=5)
    u = np.random.default_rng(1).standard_normal(60)
    u /= np.linalg.norm(u)
    for degree in range(10):
        assert found.weights[0] @ found.nodes[0] ** degree == pytest.approx((u**2) @ values**degree, rel=1e-10)
    assert np.isnan(trace_of(found, np.asarray)[1])  # one probe has no scatter


def test_distribution_encloses_that_of_the_spectrum():
    values = spectrum()
    grid = np.linspace(-2.5, 21, 400)
    true = np.searchsorted(values, grid, "right") / len(values)
    for deflated in (None, known(values, 4)):
        found = cumulative(runs(values, deflated=deflated), grid)
        assert (found.low - 4 * found.stderr <= true + 1e-12).all()
        assert (true <= found.high + 4 * found.stderr + 1e-12).all()
        assert (found.low <= found.high).all()
        assert found.high[-1] == pytest.approx(1)


def test_enclosure_is_strict_for_a_single_probe():
    values = spectrum(200)
    u = np.random.default_rng(1).standard_normal(200)
    weights = u**2 / (u @ u)
    found = runs(values, probes=1, steps=12)
    grid = np.sort(np.concatenate([np.linspace(-3, 21, 1000), values, found.nodes[0]]))
    true = np.concatenate([[0], np.cumsum(weights)])[np.searchsorted(values, grid, "right")]
    bounds = cumulative(found, grid)
    assert (bounds.low <= true + 1e-12).all()
    assert (true <= bounds.high + 1e-12).all()


def test_few_distinct_eigenvalues_are_found_exactly():
    values = np.repeat([0.0, 1.0, 4.0], [70, 20, 10])
    found = runs(values, probes=200, steps=30)
    assert found.exact.all()
    assert found.products == 200 * 3
    at = cumulative(found, np.array([-0.5, 0.5, 1.5, 4.5]))
    np.testing.assert_array_equal(at.low, at.high)
    assert (np.abs(at.low - [0, 0.7, 0.9, 1]) <= 4 * at.stderr + 1e-12).all()
    rho = density(found, width=0.1)
    assert np.trapezoid(rho.density[rho.grid < 0.5], rho.grid[rho.grid < 0.5]) == pytest.approx(0.7, abs=0.03)


def test_everything_known_is_the_spectrum_itself():
    values = np.array([1.0, 2.0, 5.0])
    found = runs(values, probes=3, deflated=(values, np.eye(3)))
    assert found.products == 0
    grid = np.linspace(0, 6, 100)
    np.testing.assert_allclose(density(found, grid, 0.3).density, smoothed(values, grid, 0.3))
    assert trace_of(found, np.square) == (30, 0)
    assert cumulative(found, np.array([1.0, 3.0])).low.tolist() == [pytest.approx(1 / 3), pytest.approx(2 / 3)]


def test_zero_operator_is_one_peak():
    found = runs(np.zeros(50), probes=2)
    rho = density(found)
    assert np.isfinite(rho.density).all()
    assert np.trapezoid(rho.density, rho.grid) == pytest.approx(1, abs=1e-3)


def test_runs_side_by_side_are_the_same_runs():
    values = spectrum()
    alone, together = (
        quadrature(
            product, len(values), probes=3, steps=25, rng=np.random.default_rng(5), together=side_by_side,
            deflated=known(values, 2),
        )
        for product, side_by_side in ((lambda v: values * v, False), (lambda v: values[:, None] * v, True))
    )  # fmt: skip
    for first, second in zip(alone, together, strict=True):
        np.testing.assert_array_equal(first, second)


def test_runs_side_by_side_that_end_at_different_steps():
    """One start lies in an invariant subspace, one product is not finite."""
    values, starts = spectrum(50), np.random.default_rng(0).standard_normal((3, 50))
    starts[1, 3:] = 0
    runs = lanczos_together(lambda v: values[:, None] * v, starts, 10)
    assert [len(run.alpha) for run in runs] == [10, 3, 10]
    assert [run.status for run in runs] == ["", INVARIANT, ""]
    values[0], starts[0, 0], starts[2, 0] = np.nan, 1, 1
    runs = lanczos_together(lambda v: values[:, None] * v, starts, 10)
    assert {run.status for run in runs} == {NOT_FINITE}


def test_hutchinson_within_its_error_and_without_scatter_for_diagonal_operators():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((300, 300))
    a = a + a.T + 5 * np.eye(300)
    z = [
        (estimate - np.trace(a)) / stderr
        for estimate, stderr in (trace(a.dot, 300, 30, np.random.default_rng(seed)) for seed in range(60))
    ]
    assert 0.7 < np.std(z) < 1.4
    assert abs(np.mean(z)) < 0.5
    diagonal = spectrum()
    mean, stderr = trace(lambda v: diagonal * v, 800, 5, rng)
    assert mean == pytest.approx(diagonal.sum())
    assert stderr < 1e-10


def test_deflated_trace_scatters_less():
    rng = np.random.default_rng(0)
    q = np.linalg.qr(rng.standard_normal((300, 300)))[0]
    values = np.concatenate([[100.0, 80, 60], rng.random(297)])
    a = (q * values) @ q.T
    plain = trace(a.dot, 300, 20, np.random.default_rng(1))
    deflated = trace(a.dot, 300, 20, np.random.default_rng(1), (values[:3], q[:, :3]))
    assert deflated[1] < plain[1] / 10
    for mean, stderr in (plain, deflated):
        assert abs(mean - values.sum()) < 4 * stderr
    u = np.linalg.qr(rng.standard_normal((300, 4)))[0]  # any orthonormal vectors will do
    quotients = np.einsum("ij,ij->j", u, a @ u)
    means = [trace(a.dot, 300, 1, np.random.default_rng(seed), (quotients, u))[0] for seed in range(200)]
    assert np.mean(means) == pytest.approx(values.sum(), abs=4 * np.std(means) / np.sqrt(200))


def test_products_that_are_not_finite_are_nan():
    rng = np.random.default_rng(0)
    found = quadrature(lambda v: v * np.nan, 20, probes=3, steps=5, rng=rng)
    assert found.status == NOT_FINITE
    assert np.isnan(density(found, np.linspace(0, 1, 5), 0.1).density).all()
    assert np.isnan(trace_of(found, np.asarray)).all()
    assert np.isnan(cumulative(found, np.zeros(1)).low).all()
    assert np.isnan(trace(lambda v: v * np.inf, 20, 3, rng)).all()


def test_agrees_with_curvlinops():
    curvlinops = pytest.importorskip("curvlinops")
    torch = pytest.importorskip("torch")
    values = spectrum(200)
    operator = torch.diag(torch.tensor(values))
    torch.manual_seed(0)
    theirs = curvlinops.hutchinson_trace(operator, 50).item()
    assert theirs == pytest.approx(trace(lambda v: values * v, 200, 50, np.random.default_rng(0))[0], rel=1e-9)


def test_smoothing_is_resolved_at_the_default_width():
    """The kernel's own quadrature error, on one probe whose measure is known."""
    values = np.linspace(-1, 1, 2000)
    u = np.random.default_rng(1).standard_normal(2000)
    found = runs(values, probes=1, steps=40)
    rho = density(found)
    share = u**2 / (u @ u)
    true = np.exp(-(((rho.grid[:, None] - values) / rho.width) ** 2) / 2) @ share / (rho.width * np.sqrt(2 * np.pi))
    assert np.abs(rho.density - true).max() < 2e-2 * true.max()
    assert rho.width == pytest.approx(2 / 40, rel=0.05)
