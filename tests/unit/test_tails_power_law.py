"""The power-law fit against brute force, closed forms, powerlaw 2.0.0 and weightwatcher 0.7.7."""

import logging
import warnings

import numpy as np
import pytest

from htsr.tails.power_law import POWERLAW_PACKAGE, Rule, distinct, fit_power_law, hill, usable
from htsr.tails.search import best_tail

WEIGHTWATCHER = Rule("left", 2)


def pareto(rng, n, alpha):
    return (1 - rng.random(n)) ** (-1 / (alpha - 1))


def marchenko_pastur(rng, m):
    w = rng.standard_normal((2 * m, m))
    return np.linalg.eigvalsh(w.T @ w)


def samples(rng, n):
    yield from (pareto(rng, n, 1.8), pareto(rng, n, 2.5), pareto(rng, n, 4.5))
    yield from (np.exp(rng.standard_normal(n)), rng.exponential(size=n), marchenko_pastur(rng, n))


def brute_force(x, rule):
    """Every candidate, every point, the plain formulas."""
    x = np.sort(x)
    best = (np.inf, None, None)
    for xmin in np.unique(x)[:-1]:
        tail = x[x >= xmin]
        if len(tail) < rule.min_tail:
            break
        alpha = 1 + len(tail) / np.log(tail / xmin).sum()
        law = 1 - (tail / xmin) ** (1 - alpha)
        law /= law[-1] if rule.cut_at_xmax else 1
        smaller, not_larger = np.searchsorted(tail, tail), np.searchsorted(tail, tail, "right")
        distance = np.abs(law - smaller / len(tail)).max()
        if rule.ks == "two_sided":
            distance = max(distance, np.abs(law - not_larger / len(tail)).max())
        best = min(best, (distance, xmin, alpha))
    return best


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("ks", ["left", "two_sided"])
def test_the_search_is_the_full_search(ks, cut):
    rng = np.random.default_rng(1)
    for n in (2, 3, 5, 11, 40, 150):
        for min_tail in (2, 3, 10):
            for x in samples(rng, n):
                for ties in (x, np.ceil(x * 4), rng.choice(x, n)):
                    rule = Rule(ks, min_tail, cut)
                    fit, (distance, xmin, alpha) = fit_power_law(ties, rule), brute_force(ties, rule)
                    assert (fit.status == "ok") == np.isfinite(distance)
                    if fit.status == "ok":
                        assert fit.ks_distance == pytest.approx(distance, abs=1e-12)
                        assert (fit.xmin, fit.n_tail) == (xmin, np.count_nonzero(ties >= xmin))
                        assert fit.alpha == pytest.approx(alpha, rel=1e-9)


def test_of_equal_distances_the_longest_tail_wins():
    logs = np.array([*(-1 - 1e-6 * np.arange(71, 0, -1)), -1, -1e-18, 0])
    below = np.cumsum([0, *[10] * 71, 2, 1, 1])
    # Cut off, F is 0, 1, 1 in the tail of three values, 0, 1 in that of two; the empirical CDF 0, 2/4, 3/4 and 0, 1/2.
    start, _, distance = best_tail(logs, below, 1, True, True)
    assert (start, distance) == (71, 0.5)


@pytest.mark.parametrize(("n", "alpha"), [(20000, 1.7), (20000, 2.5), (20000, 6.0)])
def test_recovers_the_exponent_of_a_pareto_sample(n, alpha):
    fit = fit_power_law(7 * pareto(np.random.default_rng(3), n, alpha))
    assert fit.alpha == pytest.approx(alpha, abs=4 * fit.alpha_stderr)
    assert fit.alpha_stderr == pytest.approx((fit.alpha - 1) / np.sqrt(fit.n_tail))


def test_finds_where_the_tail_begins():
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.random(4000), pareto(rng, 2000, 3.0)])
    fit = fit_power_law(x)
    assert fit.xmin == pytest.approx(1, rel=0.15) and fit.alpha == pytest.approx(3, abs=0.2)
    assert fit.xmin in x and fit.xmax == x.max()


@pytest.mark.parametrize("scale", [1e-300, 1e-6, 1e6, 2.0**-40, 1e290])
def test_does_not_depend_on_the_scale(scale):
    rng = np.random.default_rng(7)
    for x in samples(rng, 100):
        one, other = fit_power_law(x), fit_power_law(x * scale)
        exact = np.log2(scale) % 1 == 0
        assert other.alpha == (one.alpha if exact else pytest.approx(one.alpha, rel=1e-12))
        assert other.n_tail == one.n_tail and other.xmin == pytest.approx(scale * one.xmin, rel=1e-15)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_does_not_depend_on_the_scale_of_the_matrix(scale):
    w = np.random.default_rng(8).standard_normal((120, 80))
    w[:, :3] = w[:, 3:6]  # three eigenvalues are zero to rounding

    def fit(w):
        return fit_power_law(usable(np.linalg.eigvalsh(w.T @ w), 120))

    assert fit(w * scale).alpha == pytest.approx(fit(w).alpha, rel=1e-9) and fit(w).n_tail == fit(w * scale).n_tail


def test_agrees_with_the_powerlaw_package():
    powerlaw = pytest.importorskip("powerlaw")
    rng = np.random.default_rng(11)
    for n in (30, 100, 250):
        for x in samples(rng, n):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                theirs = powerlaw.Fit(x, parameter_ranges={"alpha": [1, None]}, verbose=0)
            ours = fit_power_law(x, POWERLAW_PACKAGE)
            expected = (theirs.alpha, theirs.D, theirs.xmin, theirs.n_tail)
            assert (ours.alpha, ours.ks_distance, ours.xmin, ours.n_tail) == pytest.approx(expected, rel=1e-6)


def test_the_backend_is_the_powerlaw_package():
    powerlaw = pytest.importorskip("powerlaw")
    x = 40 * pareto(np.random.default_rng(12), 60, 3.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = powerlaw.Fit(x, parameter_ranges={"alpha": [1, None]}, verbose=0)
    found = fit_power_law(x, backend="powerlaw")
    numbers = (found.alpha, found.xmin, found.ks_distance, found.n_tail)
    assert numbers == (theirs.alpha, theirs.xmin, theirs.D, theirs.n_tail)
    assert found.alpha_stderr == pytest.approx((theirs.alpha - 1) / np.sqrt(theirs.n_tail)) and found.xmax == x.max()


@pytest.fixture(scope="module")
def wwfit():
    root = logging.getLogger()
    before = root.handlers[:], root.level
    with warnings.catch_warnings():
        module = pytest.importorskip("weightwatcher.WW_powerlaw")
    root.handlers[:], root.level = before
    return module.WWFit


def test_agrees_with_weightwatcher(wwfit):
    rng = np.random.default_rng(13)
    for n in (20, 100, 1000):
        for x in samples(rng, n):
            theirs, ours = wwfit(x), fit_power_law(x, WEIGHTWATCHER)
            expected = (theirs.alpha, theirs.D, theirs.xmin, theirs.sigma, len(theirs.data))
            numbers = (ours.alpha, ours.ks_distance, ours.xmin, ours.alpha_stderr, ours.n_tail)
            assert numbers == pytest.approx(expected, rel=1e-6)


def test_weightwatchers_own_numbers():
    x = (1 - np.random.RandomState(0).rand(500)) ** (-1 / 1.5)
    fit = fit_power_law(x, WEIGHTWATCHER)
    found = (fit.alpha, fit.xmin, fit.ks_distance, fit.alpha_stderr, fit.n_tail)
    expected = (2.478819257976448, 1.0140086903338072, 0.028872109357623632, 0.06701169712723827, 487)
    assert found == pytest.approx(expected, rel=1e-6)
    w = np.random.RandomState(42).randn(200, 100).astype(np.float32).astype(float)
    fit = fit_power_law(usable(np.linalg.eigvalsh(w.T @ w), 200, min_eigenvalue=1e-5), WEIGHTWATCHER)
    found = (fit.alpha, fit.ks_distance, fit.xmin, fit.n_tail, fit.alpha_stderr)
    assert found == pytest.approx((4.429985, 0.148703, 289.448475, 28, 0.648206), abs=1e-6)
    np.random.seed(123)  # noqa: NPY002
    fit = fit_power_law(np.random.pareto(2.5, 100), WEIGHTWATCHER)  # noqa: NPY002
    found = (fit.alpha, fit.xmin, fit.ks_distance, fit.alpha_stderr, fit.n_tail)
    expected = (2.535777254844289, 0.43297220027324523, 0.07043700074191772, 0.24282770519944077, 40)
    assert found == pytest.approx(expected, rel=1e-6)


def test_published_slices_of_a_resnet(mirror):
    """Four of the slices behind the numbers of 2019 (no 1/N, smallest of 64 dropped): α̂ of the whole model is 1.127."""
    torch = pytest.importorskip("torch")
    folder = "github.com/akamaster/pytorch_resnet_cifar10/raw/d5489e8995e81e91ce6b1d69dcc98ad579b0b153"
    path = mirror / folder / "pretrained_models/resnet20-12fca82f.th"
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    weights = [w.numpy().astype(float) for w in state.values() if w.ndim == 4 and min(w.shape[:2]) >= 50]
    slices = [w[:, :, i, j] for w in weights for i in range(3) for j in range(3)]
    alpha_hat = []
    for w in slices:
        x = usable(np.linalg.eigvalsh(w.T @ w), 64, drop_smallest=1)
        alpha_hat.append(fit_power_law(x, Rule("left", 2, cut_at_xmax=True)).alpha * np.log10(x[-1]))
    assert len(alpha_hat) == 45 and np.mean(alpha_hat) == pytest.approx(1.127, abs=0.001)


@pytest.mark.parametrize(
    ("x", "why"),
    [
        ([], "too few values: 0"),
        ([2.0], "too few values: 1"),
        ([1.0] * 9, "too few values: 9 where a tail needs 10"),
        ([3.0] * 50, "equal"),
        ([0.0] * 50, "finite and positive"),
        ([1.0, np.inf] * 10, "finite and positive"),
        ([1.0, np.nan] * 10, "finite and positive"),
        ([-1.0, 2.0] * 10, "finite and positive"),
        ([1e-320, 1e300] * 10, "finite and positive"),
        ([1.0] + [2.0] * 9, "ok"),
        ([1.0] * 9 + [2.0], "ok"),
        ([1.0] * 5 + [2.0] * 4 + [1.0 + 1e-15], "ok"),
    ],
)
@pytest.mark.parametrize("backend", ["exact", "powerlaw"])
def test_what_cannot_be_fitted_says_why(x, why, backend):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = fit_power_law(np.array(x), backend=backend)
    if backend == "powerlaw" and why == "ok":
        why = "distinct values"
    assert why in fit.status
    assert np.isnan(fit.alpha) == (fit.status != "ok") and (fit.n_tail == 0) == (fit.status != "ok")


def test_usable_eigenvalues():
    x = usable(np.array([0.0, -1e-17, 1e-14, 1e-10, 0.5, 0.5 + 1e-15, 1.0]), 100)
    assert x.tolist() == [1e-10, 0.5, 0.5, 1.0]
    assert usable(np.array([3.0, 1, 2]), 3, drop_smallest=1).tolist() == [2, 3]
    assert usable(np.array([3.0, 1, 2]), 3, min_eigenvalue=1).tolist() == [2, 3]
    assert usable(np.zeros(4), 4).tolist() == usable(np.ones(2), 2, drop_smallest=5).tolist() == []
    assert len(distinct(usable(np.linalg.eigvalsh(np.eye(30) + 1e-16), 30))[0]) == 1


def test_hill():
    rng = np.random.default_rng(17)
    assert hill(pareto(rng, 100000, 2.5)) == pytest.approx(2.5, abs=0.03)
    assert hill(np.array([1.0, np.e, np.e**2, np.e**3])) == pytest.approx(1 + 2 / 3)
    assert hill(np.array([1.0, np.e, np.e**2, np.e**3]), k=3) == pytest.approx(1 + 3 / 6)
    assert hill(3e5 * np.array([1, 2.0, 4, 8])) == pytest.approx(hill(np.array([1, 2.0, 4, 8])), rel=1e-14)
    assert np.isnan([hill(np.array([])), hill(np.array([1.0])), hill(np.ones(9))]).all()
