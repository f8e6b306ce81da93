import numpy as np
import pytest

from htsr.metrics import norms, ranks
from htsr.metrics.columns import AVERAGED, COLUMNS
from htsr.metrics.measures import COLUMNS as MEASURES
from htsr.metrics.measures import measure
from htsr.spectra.esd import compute_spectrum
from htsr.spectra.spectrum import Spectrum

THRESHOLDS = {"zeros": 0.1, "edge": 1.5, "near": 0.02, "heavy": 0.07}


def measures(w, normalization="one_over_n", alpha=3.0, kind="linear", **options):
    return measure(compute_spectrum("a", "a", kind, {"a": np.asarray(w)}, normalization), alpha, **options)


def test_diagonal_matrix():
    """Singular values 2, 1, 1, 0: every measure by hand."""
    row = measures(np.diag([2.0, 1.0, 1.0, 0.0]), "none", alpha=2.0)
    assert row["lambda_max"] == pytest.approx(4)
    assert row["stable_rank"] == pytest.approx(6 / 4)
    assert row["matrix_rank"] == 3
    p = np.array([4, 1, 1]) / 6
    assert row["entropy"] == pytest.approx(-(p * np.log(p)).sum() / np.log(3))
    assert row["log_norm"] == pytest.approx(np.log10(6**0.5))
    assert row["log_spectral_norm"] == pytest.approx(np.log10(4))
    assert row["log_stable_rank"] == pytest.approx(np.log(6) / np.log(4))
    assert row["log_alpha_norm"] == pytest.approx(np.log10(16 + 1 + 1))
    assert row["alpha_weighted"] == pytest.approx(2 * np.log10(4))
    assert "phase" not in row and "lambda_plus" not in row  # four eigenvalues are no bulk


def test_same_numbers_as_weightwatcher():
    """What weightwatcher 0.7.7 gives for this matrix as a linear layer; its log_norm is ours twice."""
    w = np.random.RandomState(42).randn(200, 100).astype(np.float32)
    row = measures(w, "weightwatcher", alpha=4.429985)
    expected = {
        "lambda_max": 557.041294,
        "stable_rank": 36.064564,
        "matrix_rank": 100,
        "entropy": 0.945199,
        "log_norm": np.log10(20089.451113) / 2,
        "log_alpha_norm": 13.094239,
        "alpha_weighted": 12.164241,
    }
    assert {name: row[name] for name in expected} == pytest.approx(expected, rel=2e-6)
    assert row["sigma_mp"] == pytest.approx(1, abs=3 * row["sigma_mp_stderr"])


def test_entropy_of_known_spectra():
    assert ranks.entropy(np.ones(7), 7) == pytest.approx(1)
    assert ranks.entropy(np.array([0.0, 0.0, 5.0]), 3) == 0
    assert ranks.entropy(np.array([1.0, 4.0, 9.0]), 3) == pytest.approx(0.755928, abs=1e-6)


def test_log_alpha_norm_does_not_overflow():
    values = np.array([1e-300, 1e150, 1e200])
    assert norms.log_alpha_norm(values, 10.0) == pytest.approx(2000)
    assert np.isnan(norms.log_alpha_norm(values, np.nan))


def test_log_stable_rank_has_no_value_at_unit_spectral_norm():
    assert np.isnan(ranks.log_stable_rank(1.0, 0.0))


def test_measures_of_a_gaussian_matrix():
    w = np.random.default_rng(0).standard_normal((300, 600)).astype(np.float32)
    row = measures(w)
    assert row["lambda_plus"] == pytest.approx((1 + 0.5**0.5) ** 2, rel=0.01)
    assert row["sigma_mp"] == pytest.approx(1, abs=4 * row["sigma_mp_stderr"])
    assert row["mp_softrank"] == pytest.approx(1, abs=0.05)
    assert row["mp_softrank"] == row["lambda_plus"] / row["lambda_max"]
    assert (row["n_spikes"], row["phase"], row["matrix_rank"]) == (0, "RANDOM-LIKE", 300)
    assert row["log_norm"] == pytest.approx(np.log10(np.linalg.norm(w)), abs=1e-6)


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_all_but_norms_are_free_of_scale(factor):
    w = np.random.default_rng(1).standard_t(3, (200, 100))
    one, other = measures(w), measures(w * factor)
    for name in ("mp_softrank", "stable_rank", "matrix_rank", "entropy", "n_spikes"):
        assert other[name] == pytest.approx(one[name], rel=1e-9)
    assert other["phase"] == one["phase"]
    shift = np.log10(factor)
    assert other["log_norm"] == pytest.approx(one["log_norm"] + shift)
    assert other["log_spectral_norm"] == pytest.approx(one["log_spectral_norm"] + 2 * shift)
    assert other["log_alpha_norm"] == pytest.approx(one["log_alpha_norm"] + 3 * 2 * shift)
    assert other["sigma_mp"] == pytest.approx(one["sigma_mp"] * factor)


def test_what_the_normalization_changes():
    w = np.random.default_rng(2).standard_normal((200, 100))
    over_n, none = measures(w), measures(w, "none")
    halved = measures(w, "weightwatcher", kind="conv2d")
    for name in ("log_norm", "sigma_mp", "mp_softrank", "stable_rank", "entropy", "n_spikes"):
        assert none[name] == pytest.approx(over_n[name], rel=1e-9)
    assert none["lambda_max"] == pytest.approx(200 * over_n["lambda_max"])
    assert none["lambda_plus"] == pytest.approx(200 * over_n["lambda_plus"])
    assert halved["lambda_plus"] == pytest.approx(none["lambda_plus"] / 2)
    assert halved["log_norm"] == pytest.approx(none["log_norm"] - np.log10(2) / 2)


def test_pooled_slices_have_the_edge_of_a_slice():
    rng = np.random.default_rng(3)
    slices = {f"a[0,{j}]": rng.standard_normal((128, 64)) for j in range(9)}
    row = measure(compute_spectrum("a", "a", "conv2d", slices), 3.0)
    assert row["lambda_plus"] == pytest.approx((1 + 0.5**0.5) ** 2, rel=0.02)
    assert row["phase"] == "RANDOM-LIKE"
    total = sum((w**2).sum() for w in slices.values())
    assert row["log_norm"] == pytest.approx(np.log10(total) / 2)


def gaussian(rng, n, m):
    return rng.standard_normal((n, m))


def spiked(strengths):
    """Gaussian matrix plus singular values of so many times the BBP threshold."""

    def sample(rng, n, m):
        k = len(strengths)
        u, v = np.linalg.qr(rng.standard_normal((n, k)))[0], np.linalg.qr(rng.standard_normal((m, k)))[0]
        return rng.standard_normal((n, m)) + (u * np.array(strengths) * (m / n) ** 0.25 * n**0.5) @ v.T

    return sample


def pareto(mu):
    """Entries ± with P(|x| > t) = t^-μ."""
    return lambda rng, n, m: (1 + rng.pareto(mu, (n, m))) * rng.choice([-1, 1], (n, m))


def product(rng, n, m):
    return rng.standard_normal((n, m // 3)) @ rng.standard_normal((m // 3, m))


@pytest.mark.parametrize(
    ("sample", "expected", "least"),
    [
        (gaussian, "RANDOM-LIKE", 0.9),
        (spiked([1.5]), "BLEEDING-OUT", 0.9),
        (spiked([3, 4, 5, 6]), "BULK+SPIKES", 0.9),
        (pareto(2.5), "BULK-DECAY", 0.5),
        (pareto(1.5), "HEAVY-TAILED", 0.9),
        (product, "RANK-COLLAPSE", 0.9),
    ],
)
def test_phase_of_ensembles_where_it_is_known(sample, expected, least):
    rng = np.random.default_rng(4)
    found = [measures(sample(rng, 600, 300), **THRESHOLDS)["phase"] for _ in range(10)]
    assert np.mean([phase == expected for phase in found]) >= least, found


def test_rows_without_numbers_say_why():
    bad = Spectrum("a", "a", "linear", 4, 4, 1.0, "none", status="NaN or infinite entries")
    assert measure(bad, np.nan)["status"] == "NaN or infinite entries"
    zero = measures(np.zeros((20, 15)))
    assert zero["status"] == "all eigenvalues are zero"
    assert set(zero) == {"layer", "kind", "n", "m", "q", "status"}
    column = measures(np.arange(5.0)[:, None], "none")
    assert (column["status"], column["entropy"], column["stable_rank"]) == ("ok", 0, 1)
    assert column["log_norm"] == pytest.approx(np.log10(30) / 2)


def test_no_fit_leaves_only_what_needs_alpha_empty():
    row = measures(np.random.default_rng(5).standard_normal((60, 50)), alpha=np.nan)
    empty = {name for name, value in row.items() if isinstance(value, float) and np.isnan(value)}
    assert empty == {"log_alpha_norm", "alpha_weighted"}


def test_dictionary_of_columns_is_complete():
    row = measures(np.random.default_rng(6).standard_normal((60, 50)))
    assert set(row) == set(MEASURES) <= set(COLUMNS)
    assert {f"{name}_stderr" for name in AVERAGED} <= set(COLUMNS)
    for column in COLUMNS.values():
        assert column.symbol and column.meaning and "\n" not in column.meaning
        assert column.symbol.count("$") % 2 == 0
