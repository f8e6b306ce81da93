import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, eigsh

from htsr.spectra.lanczos import INVARIANT, NOT_CONVERGED, NOT_FINITE, both_ends, lanczos, ritz, top, undetected


def symmetric(values, seed=0):
    """A dense matrix of known eigenvalues, and its eigenvectors."""
    q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values))))[0]
    return (q * values) @ q.T, q


def hessian_like(size, seed=0):
    """Most eigenvalues near zero, a few large ones, a few negative ones."""
    rng = np.random.default_rng(seed)
    bulk = 0.1 * rng.standard_normal(size - 8) * rng.random(size - 8) ** 3
    return np.sort(np.concatenate([bulk, [-0.9, -0.6], [10, 7, 4, 2.5, 2, 1.5]]))


def test_run_is_a_factorization_with_orthonormal_basis():
    a, _ = symmetric(hessian_like(300))
    run = lanczos(a.dot, np.random.default_rng(1).standard_normal(300), 60)
    t = np.diag(run.alpha) + np.diag(run.beta[:-1], 1) + np.diag(run.beta[:-1], -1)
    np.testing.assert_allclose(run.basis.T @ run.basis, np.eye(60), atol=1e-14)
    np.testing.assert_allclose(run.basis.T @ a @ run.basis, t, atol=1e-13)
    residual = a @ run.basis - run.basis @ t
    assert np.abs(residual[:, :-1]).max() < 1e-13
    assert np.linalg.norm(residual[:, -1]) == pytest.approx(run.beta[-1])
    assert run.status == ""
    assert run.departure < 1e-13


def test_every_ritz_value_lies_within_its_bound_of_an_eigenvalue():
    values = hessian_like(300)
    a, _ = symmetric(values)
    for steps in (1, 5, 30, 80, 300):
        found = ritz(lanczos(a.dot, np.random.default_rng(2).standard_normal(300), steps))
        distance = np.abs(found.values[:, None] - values).min(axis=1)
        assert (distance <= found.bounds + 1e-14).all()
    assert found.values == pytest.approx(values, abs=1e-12)


def test_products_that_are_not_symmetric_widen_the_bounds():
    a, _ = symmetric(hessian_like(100))
    skew = np.random.default_rng(3).standard_normal((100, 100))
    a += 1e-3 * (skew - skew.T)
    found = ritz(lanczos(a.dot, np.random.default_rng(2).standard_normal(100), 40))
    assert found.bounds.min() > 1e-3


def test_invariant_subspaces_end_the_run():
    a, q = symmetric(np.array([3.0, 3, 3, 1, 1, -2, -2, -2]))
    run = lanczos(a.dot, np.random.default_rng(0).standard_normal(8), 8)
    assert (run.status, len(run.alpha)) == (INVARIANT, 3)
    found = ritz(run)
    np.testing.assert_allclose(found.values, [-2, 1, 3], atol=1e-13)
    assert found.bounds.max() < 1e-12
    run = lanczos(a.dot, q[:, 0], 8)
    assert (run.status, len(run.alpha)) == (INVARIANT, 1)
    run = lanczos(np.zeros_like, np.ones(5), 5)
    assert (run.status, run.alpha.tolist()) == (INVARIANT, [0])


def test_deflation_leaves_the_complement():
    values = hessian_like(200)
    a, q = symmetric(values)
    run = lanczos(a.dot, np.random.default_rng(0).standard_normal(200), 400, deflate=q[:, -6:])
    np.testing.assert_allclose(ritz(run).values, values[:-6], atol=1e-12)
    assert np.abs(q[:, -6:].T @ run.basis).max() < 1e-14
    with pytest.raises(ValueError, match="deflated"):
        lanczos(a.dot, q[:, -1], 10, deflate=q[:, -6:])
    with pytest.raises(ValueError, match="zero"):
        lanczos(a.dot, np.zeros(200), 10)


@pytest.mark.parametrize("scale", [1e-6, 1, 1e6])
def test_both_ends_within_bounds_that_keep_the_tolerance(scale):
    values = scale * hessian_like(400)
    a, q = symmetric(values)
    ends = both_ends(a.dot, 400, np.random.default_rng(0), tolerance=1e-3)
    assert ends.converged
    assert ends.status == ""
    assert ends.bounds.max() <= 1e-3 * 10 * scale
    assert (np.abs(ends.values - values[[0, -1]]) <= ends.bounds).all()
    assert ends.values[0] >= values[0] - 1e-12 * scale  # Ritz values lie inside
    assert ends.values[1] <= values[-1] + 1e-12 * scale
    residual = np.linalg.norm(a @ ends.vectors - ends.vectors * ends.values, axis=0)
    assert (residual <= ends.bounds * (1 + 1e-6)).all()
    assert abs(q[:, -1] @ ends.vectors[:, 1]) > 0.999
    assert ends.products < 60


def test_both_ends_need_fewer_products_than_eigsh():
    values = hessian_like(2000)
    count = 0

    def matvec(v):
        nonlocal count
        count += 1
        return values * v.ravel()

    ends = both_ends(matvec, 2000, np.random.default_rng(0), tolerance=1e-4)
    ours, count = count, 0
    assert ours == ends.products
    start = np.random.default_rng(0).standard_normal(2000)
    theirs = eigsh(LinearOperator((2000, 2000), matvec, dtype=float), 2, which="BE", tol=1e-4, v0=start)[0]
    np.testing.assert_allclose(ends.values, theirs, atol=1e-3)
    assert ours < count


def test_warm_start_saves_products_and_hides_nothing():
    values = hessian_like(2000)
    cold = both_ends(lambda v: values * v, 2000, np.random.default_rng(0))
    near = values * (1 + 0.01 * np.random.default_rng(5).standard_normal(2000))
    fresh = both_ends(lambda v: near * v, 2000, np.random.default_rng(1))
    warm = both_ends(lambda v: near * v, 2000, np.random.default_rng(1), start=cold.vectors)
    assert warm.products < fresh.products
    assert (np.abs(warm.values - [near.min(), near.max()]) <= warm.bounds).all()
    inner = np.zeros(2000)
    inner[1000] = 1  # an eigenvector that is none of the ends
    found = both_ends(lambda v: values * v, 2000, np.random.default_rng(1), start=inner)
    assert (np.abs(found.values - values[[0, -1]]) <= found.bounds).all()


def test_operators_of_one_value_and_of_size_one():
    for size in (1, 7):
        ends = both_ends(lambda v: -2 * v, size, np.random.default_rng(0))
        np.testing.assert_allclose(ends.values, [-2, -2])
        assert ends.converged
        assert ends.products == 1
    nothing = both_ends(lambda v: 0 * v, 9, np.random.default_rng(0))
    assert nothing.values.tolist() == nothing.bounds.tolist() == [0, 0]
    assert nothing.converged


def test_a_single_outlier_far_from_a_narrow_bulk_is_not_missed():
    values = np.ones(100_000)
    values[7] = 2
    ends = both_ends(lambda v: values * v, len(values), np.random.default_rng(0))
    np.testing.assert_allclose(ends.values, [1, 2], atol=1e-9)


def test_too_few_steps_are_said():
    values = np.linspace(0, 1, 1000)
    ends = both_ends(lambda v: values * v, 1000, np.random.default_rng(0), tolerance=1e-6, max_steps=20)
    assert (ends.converged, ends.status, ends.products) == (False, NOT_CONVERGED, 20)
    assert ends.bounds.max() > 1e-6
    assert (np.abs(ends.values[:, None] - values).min(axis=1) <= ends.bounds).all()


def test_products_that_are_not_finite_give_a_status():
    values, count = np.linspace(-1, 1, 500), 0

    def fails_late(v):
        nonlocal count
        count += 1
        return values * v if count < 12 else np.full(500, np.nan)

    ends = both_ends(fails_late, 500, np.random.default_rng(0), tolerance=1e-9)
    assert (ends.converged, ends.status, ends.products) == (False, NOT_FINITE, 12)
    assert np.isfinite(ends.values).all()
    for found in (
        both_ends(lambda v: v * np.inf, 500, np.random.default_rng(0)),
        top(lambda v: v * np.nan, 500, 3, np.random.default_rng(0), repeated=True),
    ):
        assert (found.converged, found.status, found.products) == (False, NOT_FINITE, 1)
        assert np.isnan(found.values).all()
        assert found.vectors.shape == (500, len(found.values))


@pytest.mark.parametrize(("by", "expected"), [("algebraic", [10, 7, 4, 2.5]), ("modulus", [-12, 10, 7, 4])])
def test_top_by_value_and_by_modulus(by, expected):
    values = hessian_like(300)
    if by == "modulus":
        values[0] = -12
    a, _ = symmetric(values)
    found = top(a.dot, 300, 4, np.random.default_rng(0), by=by, tolerance=1e-4)
    assert found.converged
    assert (np.abs(found.values - expected) <= found.bounds).all()
    assert (np.linalg.norm(a @ found.vectors - found.vectors * found.values, axis=0) <= found.bounds + 1e-12).all()
    np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(4), atol=1e-12)


def test_top_finds_repeated_eigenvalues_when_asked():
    values = np.sort(np.concatenate([np.linspace(0, 1, 200), [5, 5, 5, 3, 2]]))
    a, _ = symmetric(values)
    once = top(a.dot, 205, 4, np.random.default_rng(0), tolerance=1e-8)
    assert set(np.round(once.values, 6)) >= {5.0, 3.0}  # rounding may find a second vector of 5, but need not
    all_of_them = top(a.dot, 205, 4, np.random.default_rng(0), tolerance=1e-8, repeated=True)
    np.testing.assert_allclose(all_of_them.values, [5, 5, 5, 3], atol=1e-7)
    assert all_of_them.converged
    residual = np.linalg.norm(a @ all_of_them.vectors - all_of_them.vectors * all_of_them.values, axis=0)
    assert (residual <= all_of_them.bounds).all()
    few = top(lambda v: 2 * v, 3, 5, np.random.default_rng(0), repeated=True)
    np.testing.assert_allclose(few.values, [2, 2, 2])
    assert few.converged


def test_top_rejects_an_unknown_order():
    with pytest.raises(ValueError, match="magnitude"):
        top(np.asarray, 3, 1, np.random.default_rng(0), by="magnitude")


def test_probability_bound_holds_where_ends_hide_best():
    """Single far eigenvalues over a continuum, the hardest case: the miss is rarely beyond the bound."""
    size, steps, probability = 1000, 20, 0.1
    values = np.concatenate([np.linspace(0, 0.9, size - 1), [1.0]])
    bound = undetected(steps, size, probability)
    rng, misses = np.random.default_rng(0), []
    for _ in range(100):
        run = lanczos(lambda v: values * v, rng.standard_normal(size), steps)
        misses.append(1 - ritz(run).values[-1])
    assert np.mean(np.array(misses) > bound) <= probability
    assert undetected(2, 1000) == 1
    assert undetected(400, 10**6) == pytest.approx((np.log(1.648e5) / 799) ** 2)
