import numpy as np
import pytest

from htsr.spectra.sketch import NOT_FINITE, brackets, counts, largest, range_sketch


def matrix(n, size, values, seed=0):
    rng = np.random.default_rng(seed)
    u = np.linalg.qr(rng.standard_normal((n, len(values))))[0]
    v = np.linalg.qr(rng.standard_normal((size, len(values))))[0]
    return (u * values) @ v.T


def sketch(a, rank, seed=1, **options):
    return range_sketch(lambda i, j: a[i:j], *a.shape, rank, np.random.default_rng(seed), **options)


FALLING = np.geomspace(10, 1e-4, 100)
SLOW = 1 / np.sqrt(np.arange(1, 101))


@pytest.mark.parametrize("shape", [(300, 500), (500, 130)])
@pytest.mark.parametrize("values", [FALLING, SLOW])
@pytest.mark.parametrize("power", [0, 2])
def test_brackets_hold_the_eigenvalues(shape, values, power):
    a = matrix(*shape, values)
    found = sketch(a, 40, power=power, block=64)
    low, high = brackets(found)
    true = values[:40] ** 2
    assert (low <= true * (1 + 1e-12)).all()
    assert (true <= high * (1 + 1e-12)).all()
    missed = a - found.left @ (found.left.T @ a)
    assert found.residual2 == pytest.approx(np.linalg.norm(missed) ** 2, rel=1e-9)
    assert np.linalg.norm(missed, 2) <= found.spectral
    assert found.frobenius2 == pytest.approx(np.linalg.norm(a) ** 2)
    assert found.status == ""


def test_vectors_are_singular_vectors():
    a = matrix(200, 300, FALLING)
    found = sketch(a, 40, power=1)
    # relative errors of about (σ_41/σ_i)^(4·power + 2): Halko, Martinsson, Tropp 2011, section 10.4
    np.testing.assert_allclose(found.values[:10], FALLING[:10], rtol=1e-8)
    np.testing.assert_allclose(found.left.T @ found.left, np.eye(40), atol=1e-12)
    np.testing.assert_allclose(found.right.T @ found.right, np.eye(40), atol=1e-12)
    np.testing.assert_allclose((found.left * found.values) @ found.right.T, found.left @ (found.left.T @ a), atol=1e-12)


def test_low_rank_is_exact_and_blocks_do_not_matter():
    a = matrix(150, 80, np.array([3.0, 2, 1]))
    found = sketch(a, 10, block=17)
    np.testing.assert_allclose(found.values, [3, 2, 1, *[0] * 7], atol=1e-12)
    assert found.residual2 < 1e-13
    other = sketch(a, 10, block=150)
    np.testing.assert_allclose(found.values, other.values, atol=1e-12)


def test_power_iterations_narrow_the_error():
    a = matrix(300, 300, SLOW)
    errors = [np.abs(sketch(a, 20, power=power).values[:10] - SLOW[:10]).max() for power in (0, 1, 2)]
    assert errors[2] < errors[1] < errors[0]


def test_rank_is_cut_to_the_shape_and_zeros_are_zeros():
    a = matrix(12, 30, np.arange(12.0, 0, -1))
    found = sketch(a, 50)
    np.testing.assert_allclose(found.values, np.arange(12.0, 0, -1))
    assert found.left.shape == (12, 12)
    nothing = sketch(np.zeros((20, 10)), 4)
    assert nothing.values.tolist() == [0] * 4
    assert nothing.residual2 == nothing.spectral == 0
    assert nothing.status == ""


def test_entries_that_are_not_finite_give_a_status():
    a = np.ones((20, 10))
    a[3, 4] = np.nan
    found = sketch(a, 4)
    assert found.status == NOT_FINITE
    assert np.isnan(found.values).all()
    assert np.isnan(brackets(found)[1]).all()
    assert found.right.shape == (10, 4)


def test_spectral_bound_needs_tests():
    found = sketch(matrix(50, 50, SLOW[:50]), 10, tests=0)
    assert found.spectral == float("inf")
    assert (brackets(found)[1] == found.values**2 + found.residual2).all()


HEAVY = np.sort(np.random.default_rng(3).pareto(1.0, 250))[::-1] + 0.01


def top_of(a, seed=1, **options):
    settings = {"rank": 40, "probes": 12, "steps": 30} | options
    return largest(lambda i, j: a[i:j], *a.shape, rng=np.random.default_rng(seed), **settings)


@pytest.mark.parametrize("shape", [(300, 500), (500, 260)])
@pytest.mark.parametrize("values", [FALLING, SLOW, HEAVY], ids=["falling", "slow", "heavy"])
@pytest.mark.parametrize("power", [0, 2])
def test_largest_eigenvalues_lie_within_their_errors(shape, values, power):
    a = matrix(*shape, values)
    found = top_of(a, power=power)
    true, known = values**2, len(found.values)
    above = true[:known] - found.values
    assert 10 < known <= 40 and (np.diff(found.values) <= 0).all()
    assert (above <= found.errors).all() and above.min() > -1e-12 * true[0]
    assert true[known] <= found.rest * (1 + 1e-12)
    assert power == 0 or found.errors[0] < 1e-5 * true[0]  # no mere sum of all that is left
    assert found.total == pytest.approx(true.sum())
    assert abs(found.squares - np.sum(true**2)) <= 5 * found.squares_stderr + 1e-9 * found.squares
    residual = a.T @ (a @ found.vectors[:, :5]) - found.vectors[:, :5] * found.values[:5]
    assert np.linalg.norm(residual, axis=0).max() < (1e-1, 1e-3)[power // 2] * true[0]
    found = counts(found, len(a))
    exact = (true[:, None] > found.places).sum(axis=0)
    assert (found.low - 5 * found.stderr - 1e-6 <= exact).all() and (
        exact <= found.high + 5 * found.stderr + 1e-6
    ).all()
    assert found.high.max() <= min(shape)


def test_largest_of_low_rank_and_of_what_is_not_finite():
    found = top_of(matrix(150, 80, np.array([3.0, 2, 1])), rank=10)
    np.testing.assert_allclose(found.values, [9, 4, 1], rtol=1e-12)
    assert found.errors.max() < 1e-10 and found.rest < 1e-10
    whole = top_of(matrix(30, 20, np.linspace(1, 2, 20)), rank=20)
    np.testing.assert_allclose(whole.values, np.linspace(2, 1, 20) ** 2, rtol=1e-12)
    nothing = top_of(np.zeros((30, 20)), rank=5)
    assert len(nothing.values) == 0 and nothing.squares == nothing.rest == 0 and nothing.status == ""
    broken = top_of(np.full((30, 20), np.nan), rank=5)
    assert broken.status == NOT_FINITE and len(broken.values) == 0 and np.isnan(broken.squares)
