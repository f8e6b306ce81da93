import numpy as np
import pytest

from htsr.metrics import norms, ranks
from htsr.metrics.columns import AVERAGED, COLUMNS
from htsr.metrics.measures import COLUMNS as MEASURES
from htsr.metrics.measures import measure
from htsr.spectra.ensembles import sample
from htsr.spectra.esd import compute_spectrum
from htsr.spectra.spectrum import Spectrum


def measures(w, normalization="one_over_n", alpha=3.0, kind="linear", permutations=0):
    spectrum = compute_spectrum("a", "a", kind, {"a": np.asarray(w)}, normalization, permutations)
    return measure(spectrum, {"alpha": alpha, "xmin": float(np.median(spectrum.eigenvalues))})


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
    scaled = {"lambda_max", "lambda_plus", "lambda_plus_stderr", "sigma_mp", "sigma_mp_stderr", "erg_lambda"}
    for name in set(one) - scaled - {"log_norm", "log_spectral_norm", "log_stable_rank", "log_alpha_norm"}:
        if name != "alpha_weighted" and isinstance(one[name], float):
            assert other[name] == pytest.approx(one[name], rel=1e-6, nan_ok=True), name
    for name in ("n_spikes", "matrix_rank", "erg_n", "phase"):
        assert other[name] == one[name]
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
    row = measure(compute_spectrum("a", "a", "conv2d", slices), {})
    assert row["lambda_plus"] == pytest.approx((1 + 0.5**0.5) ** 2, rel=0.02)
    assert row["phase"] == "RANDOM-LIKE"
    total = sum((w**2).sum() for w in slices.values())
    assert row["log_norm"] == pytest.approx(np.log10(total) / 2)


def test_rows_without_numbers_say_why():
    bad = Spectrum("a", "a", "linear", 4, 4, 1.0, "none", status="NaN or infinite entries")
    assert measure(bad, {})["status"] == "NaN or infinite entries"
    zero = measures(np.zeros((20, 15)))
    assert zero["status"] == "all eigenvalues are zero"
    assert set(zero) == {"layer", "kind", "n", "m", "q", "status"}
    column = measures(np.arange(5.0)[:, None], "none")
    assert (column["status"], column["entropy"], column["stable_rank"]) == ("ok", 0, 1)
    assert column["log_norm"] == pytest.approx(np.log10(30) / 2)


def test_no_fit_leaves_only_what_needs_alpha_empty():
    spectrum = compute_spectrum(
        "a", "a", "linear", {"a": np.random.default_rng(5).standard_normal((70, 50))}, "none", 2
    )
    row = measure(spectrum, {"alpha": np.nan})
    assert missing(row) == {"log_alpha_norm", "alpha_weighted", "erg_gap"}


def missing(row):
    return {name for name, value in row.items() if isinstance(value, float) and np.isnan(value)}


def test_what_has_no_meaning_is_empty():
    """No permutations, no traps; square matrices have a hard edge; spacings are those of one matrix."""
    rng = np.random.default_rng(7)
    assert missing(measures(rng.standard_normal((60, 60)))) == {"n_traps", "trap_p", "n_below"}
    slices = {name: rng.standard_normal((60, 30)) for name in "ab"}
    pooled = measure(compute_spectrum("a", "a", "conv2d", slices, permutations=2), {"alpha": 3.0, "xmin": 1.0})
    spacings = {"spacing_ratio", "spacing_ratio_stderr", "spacing_p"}
    assert missing(pooled) == {"mp_p", "left_p", *spacings}


@pytest.mark.parametrize(
    "w",
    [
        np.eye(40),
        np.diag(np.repeat([1.0, 2.0], 20)),
        np.ones((30, 20)),
        np.outer(np.arange(1.0, 31), np.ones(20)) + np.diag(np.full(30, 1e-9))[:, :20],
        np.vstack([np.eye(12), np.zeros((3, 12))]),
        np.diag(np.logspace(-140, 140, 40)),
        np.ones((9, 1)),
        np.full((30, 15), 1e-160),
    ],
)
def test_degenerate_matrices_give_a_row(w):
    with np.errstate(all="raise", under="ignore"):
        row = measures(w, permutations=2)
    assert row["status"] == "ok"
    assert {type(value) for value in row.values()} <= {str, float, int}


def test_shares_beyond_the_edge():
    """Five signals of ten times the threshold: all of the mass beyond the edge, most of the energy, no uncertainty."""
    w = sample("spiked", 400, 200, np.random.default_rng(8), strength=10.0, spikes=5)
    row = measures(w)
    values = np.linalg.svd(w, compute_uv=False) ** 2
    assert (row["n_spikes"], row["mass_beyond"], row["mass_beyond_stderr"]) == (5, pytest.approx(5 / 200), 0)
    assert row["energy_beyond"] == pytest.approx(values[:5].sum() / values.sum())
    assert row["edge_p"] < 1e-6 and row["mp_p"] > 0.01


def test_scale_of_the_standard_errors():
    one, other = (measures(np.random.default_rng(9).standard_normal((200, 100)) * factor) for factor in (1, 1e3))
    for name in ("lambda_plus_stderr", "erg_lambda"):
        assert other[name] == pytest.approx(one[name] * 1e6)


def test_dictionary_of_columns_is_complete():
    row = measures(np.random.default_rng(6).standard_normal((60, 50)), permutations=2)
    assert set(row) == set(MEASURES) <= set(COLUMNS)
    assert {f"{name}_stderr" for name in AVERAGED} <= set(COLUMNS)
    for column in COLUMNS.values():
        assert column.symbol and column.meaning and "\n" not in column.meaning
        assert column.symbol.count("$") % 2 == 0
