import numpy as np
import pytest
from scipy.stats import kstest

from htsr.spectra import high_temperature, marchenko_pastur, spiked
from htsr.spectra.eigenvalues import eigenvalues
from htsr.spectra.ensembles import LAWS, laguerre_singular_values, sample

PARAMETERS = {
    "gaussian": {},
    "wigner": {},
    "spiked": {"strength": 2.0},
    "graded": {"strength": 3, "share": 0.2},
    "pareto": {"mu": 3},
    "lomax": {"mu": 3, "signed": False},
    "student_t": {"mu": 3.5},
    "low_rank": {"rank": 0.5},
    "htmp": {"kappa": 5},
}


@pytest.mark.parametrize("law", LAWS)
def test_every_law_draws_from_its_generator_alone(law):
    def draw(n, m, seed):
        return sample(law, n, m, np.random.default_rng(seed), **PARAMETERS[law])

    n = 20 if law == "wigner" else 30
    w = draw(n, 20, 1)
    assert w.shape == (n, 20) and w.dtype == np.float64 and np.isfinite(w).all()
    np.testing.assert_array_equal(w, draw(n, 20, 1))
    assert (w != draw(n, 20, 2)).any()
    assert np.isfinite(draw(1, 1, 3)).all()


def test_gaussian_and_wigner_entries():
    rng = np.random.default_rng(0)
    w = sample("gaussian", 400, 200, rng)
    assert abs(w.mean()) < 4 / 80_000**0.5
    assert w.var() == pytest.approx(1, abs=4 * (2 / 80_000) ** 0.5)
    w = sample("wigner", 400, 400, rng)
    np.testing.assert_array_equal(w, w.T)
    assert w[np.triu_indices(400, 1)].var() == pytest.approx(1, abs=4 * (2 / 79_800) ** 0.5)
    assert np.diag(w).var() == pytest.approx(2, abs=8 * (2 / 400) ** 0.5)


@pytest.mark.parametrize("law", ["pareto", "lomax"])
def test_heavy_tailed_entries(law):
    x = sample(law, 400, 250, np.random.default_rng(0), mu=2.5)
    size, start = np.abs(x), 1 if law == "pareto" else 0
    assert kstest((size - start).ravel(), lambda t: 1 - (1 + t) ** -2.5).pvalue > 0.001
    assert np.mean(x > 0) == pytest.approx(0.5, abs=4 * 0.5 / x.size**0.5)
    assert (sample(law, 40, 25, np.random.default_rng(0), mu=2.5, signed=False) >= start).all()


def test_student_t_and_low_rank():
    rng = np.random.default_rng(0)
    assert kstest(sample("student_t", 300, 100, rng, mu=3).ravel(), "t", (3,)).pvalue > 0.001
    w = sample("low_rank", 300, 200, rng, rank=0.25)
    assert np.linalg.matrix_rank(w) == 50
    assert w.var() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(("strength", "spikes"), [(1.6, 3), (2.5, 0.01), ([3.0, 2.0, 1.5], 1)])
def test_spikes_stand_where_the_theory_puts_them(strength, spikes):
    rng, n, m = np.random.default_rng(0), 600, 300
    top = [eigenvalues(sample("spiked", n, m, rng, strength=strength, spikes=spikes))[-4:] / n for _ in range(8)]
    top = np.array(top)
    assert (top[:, 0] < marchenko_pastur.edges(2.0)[1] * 1.05).all()  # three spikes
    expected = spiked.outlier(np.sort(np.broadcast_to(strength, 3)) * spiked.threshold(2.0), 2.0)
    error = top[:, 1:].mean(axis=1).std(ddof=1) / 8**0.5
    assert top[:, 1:].mean() == pytest.approx(expected.mean(), abs=4 * error)


def test_below_the_threshold_nothing_leaves_the_bulk():
    rng = np.random.default_rng(0)
    top = [eigenvalues(sample("spiked", 600, 300, rng, strength=0.8))[-1] / 600 for _ in range(8)]
    assert np.mean(top) == pytest.approx(marchenko_pastur.edges(2.0)[1], rel=0.02)


@pytest.mark.parametrize(("slope", "middle"), [(1, 1e3), (0, 5e5), (3, 2**0.5)])
def test_graded_strengths_are_quantiles_of_a_power_law(slope, middle):
    """Of t^(-slope) on [1, 10^6]; the middle is the median: geometric for 1/t, arithmetic for 0, √2 for t⁻³."""
    w = sample("graded", 300, 100, np.random.default_rng(0), strength=1e6, share=0.21, slope=slope)
    s = np.sqrt(eigenvalues(w)[::-1]) / (300 * 100) ** 0.25
    assert s[0] == pytest.approx(1e6, rel=1e-3)
    if slope < 3:
        assert s[10] == pytest.approx(middle, rel=1e-2)
    else:
        assert s[10] < 3 < 1000 < s[0]
    assert np.count_nonzero(s > 2.2) <= 21


@pytest.mark.parametrize(("q", "kappa"), [(2, 1.0), (1, 4.0), (3, 20.0)])
def test_high_temperature_matrices_have_their_law(q, kappa):
    n, m = 150 * q, 150
    x = [eigenvalues(sample("htmp", n, m, np.random.default_rng(i), kappa=kappa)) / n for i in range(5)]
    distance = kstest(np.concatenate(x), lambda t: high_temperature.cdf(t, q, kappa))
    assert distance.pvalue > 0.01


def test_inverse_high_temperature_matrices_have_the_inverse_eigenvalues():
    x, z = (
        eigenvalues(sample("htmp", 200, 100, np.random.default_rng(0), kappa=6, inverse=inverse)) / 200
        for inverse in (False, True)
    )
    np.testing.assert_allclose(z[::-1], 1 / x, rtol=1e-7)


def test_laguerre_ensemble_of_beta_1_is_the_gaussian_one():
    """E tr X = m and E tr X² = m(1 + (m + 1)/n) for X = WᵀW/n."""
    rng, n, m = np.random.default_rng(0), 20, 10
    x = np.array([laguerre_singular_values(n, m, 1.0, rng) ** 2 for _ in range(500)])
    for power, expected in ((1, m), (2, m * (1 + (m + 1) / n))):
        traces = (x**power).sum(axis=1)
        assert traces.mean() == pytest.approx(expected, abs=4 * traces.std() / 500**0.5)


@pytest.mark.parametrize(
    ("law", "shape", "parameters", "message"),
    [
        ("cauchy", (5, 5), {}, "unknown law 'cauchy': the laws are gaussian"),
        ("gaussian", (4, 5), {}, "4 x 5 needs whole numbers N >= M >= 1"),
        ("gaussian", (5, 0), {}, "5 x 0 needs"),
        ("gaussian", (5.0, 5), {}, "5.0 x 5 needs"),
        ("gaussian", (5, 5), {"mu": 1}, "unknown parameter 'mu', it takes no parameters"),
        ("pareto", (5, 5), {"nu": 1}, "unknown parameter 'nu', it takes mu, signed"),
        ("pareto", (5, 5), {}, "the parameter 'mu' is missing"),
        ("pareto", (5, 5), {"mu": 6.5}, "mu = 6.5, it must be a number with 0 < mu <= 6"),
        ("lomax", (5, 5), {"mu": 0}, "mu = 0, it must be"),
        ("lomax", (5, 5), {"mu": 2, "signed": "yes"}, "signed = 'yes', it must be true or false"),
        ("student_t", (5, 5), {"mu": float("nan")}, "mu = nan"),
        ("wigner", (6, 5), {}, "square, not 6 x 5"),
        ("spiked", (5, 5), {"strength": 2, "spikes": 6}, "whole number from 1 to 5, or a share below 1"),
        ("spiked", (5, 5), {"strength": 2, "spikes": 2.5}, "spikes = 2.5"),
        ("spiked", (5, 5), {"strength": [2, 3], "spikes": 3}, "2 strengths are given for spikes = 3"),
        ("spiked", (5, 5), {"strength": []}, "0 strengths"),
        ("spiked", (5, 5), {"strength": "2"}, "strength = '2'"),
        ("graded", (5, 5), {"strength": 1, "share": 0.1}, "1 < strength"),
        ("graded", (5, 5), {"strength": 2, "share": 1.5}, "share = 1.5"),
        ("low_rank", (5, 5), {"rank": 0}, "rank = 0"),
        ("htmp", (5, 5), {"kappa": True}, "kappa = True"),
    ],
)
def test_what_cannot_be_drawn_says_why(law, shape, parameters, message):
    with pytest.raises(ValueError, match="^" + ("" if message.startswith("unknown law") else f"{law}: ")) as error:
        sample(law, *shape, np.random.default_rng(0), **parameters)
    assert message in str(error.value)
