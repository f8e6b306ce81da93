"""Windows of one aspect ratio."""

import numpy as np
import pytest

from htsr.files import Arrays, write_arrays
from htsr.spectra.esd import compute_spectrum
from htsr.spectra.windows import window_eigenvalues, window_shape, windows
from htsr.tails.power_law import hill


@pytest.mark.parametrize("shape", [(60, 40), (40, 60)])
def test_windows_are_views_that_reach_every_end(shape):
    w = np.arange(2400.0).reshape(shape)
    found = list(windows(w, 3, 1.5))
    larger, smaller = window_shape(60, 40, 1.5)
    assert (larger, smaller) == (30, 20) and len(found) == 9
    assert all(
        v.base is not None and v.shape == ((larger, smaller) if shape[0] > 50 else (smaller, larger)) for v in found
    )
    assert found[0][0, 0] == 0 and found[-1][-1, -1] == 2399
    assert next(windows(w, 1, 1.5))[0, 0] == w[(shape[0] - found[0].shape[0]) // 2, (shape[1] - found[0].shape[1]) // 2]


def test_eigenvalues_are_those_of_each_window():
    w = np.random.default_rng(0).standard_normal((10, 6))
    expected = np.concatenate([np.linalg.svd(v, compute_uv=False) ** 2 for v in windows(w, 2)])
    np.testing.assert_allclose(window_eigenvalues(w, 2), np.sort(expected), rtol=1e-10)
    np.testing.assert_allclose(window_eigenvalues(8 * w, 2), 64 * window_eigenvalues(w, 2), rtol=1e-13)


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (3, 3), (0, 4)])
def test_small_matrices_have_no_windows(shape):
    assert window_eigenvalues(np.ones(shape), 3).shape == (0,)
    assert window_eigenvalues(np.ones((9, 9)), 0).shape == (0,)


def test_few_places_are_used_once():
    assert len(list(windows(np.ones((5, 4)), 10))) == 4 * 3
    assert (
        window_shape(5, 4) == (2, 2) and window_shape(100, 10, 3.0) == (15, 5) and window_shape(12, 10, 3.0) == (6, 2)
    )


def test_noise_of_any_aspect_ratio_has_one_exponent():
    rng, whole, cut = np.random.default_rng(1), [], []
    for n in (100, 400):
        w = rng.standard_normal((n, 100))
        whole.append(hill(np.linalg.svd(w, compute_uv=False) ** 2))
        cut.append(hill(window_eigenvalues(w, 3)))
    assert abs(cut[0] - cut[1]) < 0.15 < 1 < whole[1] - whole[0]


def test_spectra_carry_their_windows():
    w = np.random.default_rng(2).standard_normal((24, 12)).astype(np.float32)
    for name, factor in (("none", 1.0), ("one_over_n", 1 / 6)):
        spectrum = compute_spectrum("a", "a", "linear", {"a": w, "b": 2 * w}, name, windows=2)
        one = window_eigenvalues(w, 2)
        np.testing.assert_allclose(spectrum.windows, factor * np.sort(np.r_[one, 4 * one]), rtol=1e-12)
    assert len(compute_spectrum("a", "a", "linear", {"a": w}).windows) == 0
    assert len(compute_spectrum("a", "a", "linear", {"a": np.full((9, 9), np.nan)}, windows=2).windows) == 0
    assert compute_spectrum("a", "a", "linear", {"a": np.zeros((9, 9))}, windows=2).status == "ok"


def test_files_carry_windows(tmp_path):
    from htsr.spectra.spectrum import from_arrays, to_arrays, to_header

    spectra = [compute_spectrum("a", "a", "linear", {"a": np.eye(8)}, windows=2)]
    write_arrays(tmp_path / "a.safetensors", to_arrays(spectra), to_header(spectra))
    arrays = Arrays(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(next(from_arrays(arrays, arrays.header)).windows, spectra[0].windows)
