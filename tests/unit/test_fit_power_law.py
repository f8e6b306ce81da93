"""The row of a spectrum, and the stage that writes the rows of a model."""

import dataclasses
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from htsr.config import FitPowerLaw
from htsr.files import read_table, write_arrays
from htsr.spectra.spectrum import Spectrum, to_arrays, to_header
from htsr.stages.fit_power_law import main
from htsr.tails.fits import COLUMNS, compare_with_null, estimate, fit_spectrum
from htsr.tails.power_law import Rule, hill


def spectrum(eigenvalues, name="fc", null=(), **entries):
    values = np.asarray(eigenvalues, float)
    entries = {"n": 80, "m": 60, "q": 80 / 60, "kind": "linear", "normalization": "one_over_n", **entries}
    return Spectrum(name=name, layer=name, eigenvalues=values, null=np.atleast_2d(np.asarray(null, float)), **entries)


def gaussian(name="fc", permutations=5):
    rng = np.random.default_rng(73)
    w = rng.standard_normal((80, 60)) * np.exp(rng.standard_normal(60))

    def eigenvalues(w):
        return np.linalg.eigvalsh(w.T @ w / 80)

    null = [eigenvalues(rng.permuted(w.ravel()).reshape(80, 60)) for _ in range(permutations)]
    windows = np.sort(np.concatenate([eigenvalues(w[:40, :30]), eigenvalues(w[40:, 30:])]))
    return spectrum(eigenvalues(w), name, null if permutations else np.empty((0, 60)), windows=windows)


def test_a_row_has_every_column():
    row = fit_spectrum(gaussian(), bootstrap=50)
    assert row["status"] == "ok" and set(row) == set(COLUMNS)
    texts = ("layer", "kind", "status", "best_fit", "alpha_null_all")
    numbers = {key: value for key, value in row.items() if key not in texts}
    assert np.mean([float(a) for a in row["alpha_null_all"].split()]) == pytest.approx(row["alpha_null"], rel=1e-5)
    assert all(np.isfinite(value) for value in numbers.values())
    assert row["alpha_low"] < row["alpha"] < row["alpha_high"] and row["n_null"] == 5
    assert row["n_eigenvalues"] == 60 and row["xmax"] == gaussian().eigenvalues[-1]


def test_rows_do_not_depend_on_the_scale_or_on_other_rows():
    one = fit_spectrum(gaussian(), bootstrap=20)
    assert one == fit_spectrum(gaussian(), bootstrap=20)
    big = gaussian()
    big = fit_spectrum(
        dataclasses.replace(big, eigenvalues=big.eigenvalues * 2.0**20, null=big.null * 2.0**20), bootstrap=20
    )
    for key in ("alpha", "alpha_low", "alpha_high", "p_value", "alpha_hill", "alpha_null_z", "alpha_null_p", "n_tail"):
        assert big[key] == pytest.approx(one[key], rel=1e-12)
    other = fit_spectrum(gaussian("fc2"), bootstrap=20)
    assert other["alpha"] == one["alpha"] and other["alpha_low"] != one["alpha_low"]
    assert fit_spectrum(gaussian(), bootstrap=20, seed=1)["alpha_low"] != one["alpha_low"]


def test_without_resamples_and_null():
    row = fit_spectrum(gaussian(permutations=0), bootstrap=0)
    assert row["status"] == "ok" and row["n_null"] == 0
    empty = {key for key, value in row.items() if isinstance(value, float) and np.isnan(value)}
    assert empty == {
        *("alpha_low", "alpha_high", "p_value"),
        *("alpha_null", "alpha_null_std", "alpha_null_z", "alpha_null_p"),
    }


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.zeros(60), "all eigenvalues are zero"),
        ([], "all eigenvalues are zero"),
        ([1.0], "too few values: 1"),
        (np.r_[np.zeros(55), 1, 2, 3, 4, 5], "too few values: 5 where a tail needs 10"),
        (np.r_[np.zeros(40), np.ones(20)], "equal"),
        (np.linalg.eigvalsh(np.eye(60) + 1e-17), "equal"),
        (np.r_[np.ones(59), np.inf], "not finite"),
        (np.r_[np.ones(59), np.nan], "not finite"),
        (np.r_[np.full(30, 1e-20), np.arange(1.0, 31)], "ok"),
        (np.r_[np.ones(40), 2 * np.ones(20)], "ok"),
        (np.r_[np.ones(20), 1 + 1e-7 * np.arange(20.0)], "ok"),
        (np.r_[np.ones(50), 1e30], "too few values: 1"),
        (np.r_[np.ones(50), 1e9], "ok"),
        (1e-300 * np.arange(1.0, 60), "ok"),
        (1e300 * np.arange(1.0, 60), "ok"),
    ],
)
def test_degenerate_spectra_have_a_status(values, why):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        row = fit_spectrum(spectrum(values, null=[np.zeros(60), np.ones(60), np.arange(1.0, 61)]), bootstrap=20)
    assert why in row["status"] and row["layer"] == "fc" and row["n_eigenvalues"] >= 0
    assert ("alpha" in row) == (why == "ok")
    if why == "ok":
        assert row["n_null"] == 1 and np.isfinite([row["alpha"], row["ks_distance"], row["tpl_p"]]).all()
        assert 0 <= row["stretched_p"] <= 1


def test_a_failed_spectrum_keeps_its_status():
    row = fit_spectrum(spectrum([], status="NaN or infinite entries"))
    assert row == {"layer": "fc", "kind": "linear", "n": 80, "m": 60, "q": 80 / 60, "status": "NaN or infinite entries"}


def test_cuts():
    values = np.r_[1e-9, np.arange(1.0, 41)]
    assert fit_spectrum(spectrum(values), drop_smallest=3)["n_eigenvalues"] == 38
    assert fit_spectrum(spectrum(values), min_eigenvalue=1e-5)["n_eigenvalues"] == 40
    assert fit_spectrum(spectrum(values))["n_eigenvalues"] == 41


def test_other_estimates_agree_on_a_power_law():
    x = np.sort((1 - np.random.default_rng(89).random(3000)) ** (-1 / 1.5))
    row = estimate(x, len(x), Rule())
    assert row["alpha_kernel"] == pytest.approx(2.5, abs=4 * row["alpha_kernel_stderr"])
    assert row["alpha_moments"] == pytest.approx(2.5, abs=4 * row["alpha_moments_stderr"])
    assert row["alpha_bounded"] == pytest.approx(2.5, abs=4 * row["alpha_bounded_stderr"])
    assert all(row[f"alpha_{name}_stderr"] < 0.12 for name in ("kernel", "moments", "bounded"))


def test_windows_give_the_estimate_of_their_upper_half():
    windows = np.arange(1.0, 201)
    row = fit_spectrum(dataclasses.replace(gaussian(), windows=windows), bootstrap=0)
    assert row["alpha_farms"] == pytest.approx(hill(windows, 100))


def test_null():
    nan = float("nan")
    row = compare_with_null(3.0, [4.0, 5.0, 6.0, nan, 7.0])
    expected = {"alpha_null": 5.5, "alpha_null_std": np.sqrt(5 / 3), "n_null": 4, "alpha_null_p": 2 / 5}
    assert {key: row[key] for key in expected} == pytest.approx(expected)
    assert row["alpha_null_z"] == pytest.approx(-2.5 / np.sqrt(5 / 3))
    assert compare_with_null(5.5, [4.0, 5.0, 6.0, 7.0])["alpha_null_p"] == 1.0
    assert compare_with_null(9.0, list(range(99)))["alpha_null_p"] == pytest.approx(2 * 11 / 100)
    one, none = compare_with_null(3.0, [4.0]), compare_with_null(3.0, [nan])
    assert np.isnan([one["alpha_null_std"], one["alpha_null_z"], none["alpha_null"], none["alpha_null_p"]]).all()
    assert (one["n_null"], none["n_null"]) == (1, 0) and np.isnan(compare_with_null(3.0, [4.0, 4.0])["alpha_null_z"])


def test_null_of_noise_is_no_surprise():
    """The p of matrices that are noise themselves is uniform: its rank among 9 permutations takes every place."""
    rng, p = np.random.default_rng(79), []
    for _ in range(60):
        values = [np.linalg.eigvalsh(w.T @ w) for w in rng.standard_normal((10, 40, 30))]
        p.append(fit_spectrum(spectrum(values[0], null=values[1:], n=40), bootstrap=0)["alpha_null_p"])
    assert 0.1 <= np.mean(np.array(p) <= 0.2) <= 0.35 and set(np.round(p, 1)) == {0.2, 0.4, 0.6, 0.8, 1.0}


def test_the_backend_of_a_row():
    row, ours = (fit_spectrum(gaussian(), backend=backend, ks="left", min_tail=3) for backend in ("powerlaw", "exact"))
    assert row["alpha"] == pytest.approx(ours["alpha"], rel=1e-6) and row["n_tail"] == ours["n_tail"]
    assert row["alpha_null"] == ours["alpha_null"] and row["alpha_low"] == ours["alpha_low"]


def test_stage(tmp_path, monkeypatch):
    spectra = [
        gaussian("conv[0,1]"),
        spectrum([], "bad", status="NaN or infinite entries"),
        spectrum(np.zeros(60), "zero"),
    ]
    write_arrays(tmp_path / "esd.safetensors", to_arrays(spectra), to_header(spectra))
    settings = [f"esd={tmp_path}/esd.safetensors", "bootstrap=20", "ks=left", "min_tail=2"]
    command = [sys.executable, "-m", "htsr.stages.fit_power_law", *settings, f"fits={tmp_path}/a.csv"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    monkeypatch.setattr(sys, "argv", ["fit_power_law", *settings, f"fits={tmp_path}/b.csv"])
    main()
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    table = read_table(tmp_path / "a.csv")
    assert list(table) == COLUMNS and table.layer.tolist() == ["conv[0,1]", "bad", "zero"]
    assert table.status.tolist() == ["ok", "NaN or infinite entries", "all eigenvalues are zero"]
    expected = fit_spectrum(spectra[0], bootstrap=20, ks="left", min_tail=2)
    assert {key: table[key][0] for key in COLUMNS} == expected
    assert table.loc[1:, "alpha":"n_null"].isna().all(axis=None)
    monkeypatch.setattr(sys, "argv", [*sys.argv[:-1], f"fits={tmp_path}/c.csv", "seed=-1"])
    with pytest.raises(SystemExit, match="seed is -1"):
        main()
    assert not (tmp_path / "c.csv").exists()


def test_default_yaml_names_every_setting(root: Path):
    written = OmegaConf.load(root / "config/fit_power_law/default.yaml")
    assert OmegaConf.merge(OmegaConf.structured(FitPowerLaw), written) == OmegaConf.structured(FitPowerLaw)
    assert list(written) == [field.name for field in dataclasses.fields(FitPowerLaw)]
