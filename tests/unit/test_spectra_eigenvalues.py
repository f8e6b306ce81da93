import tracemalloc

import numpy as np
import pytest

from htsr.files import Arrays, write_arrays
from htsr.spectra import eigenvalues as module
from htsr.spectra.eigenvalues import eigenvalues, gram, largest_entry
from htsr.spectra.esd import compute_spectrum
from htsr.spectra.permutation import generator, permuted_eigenvalues


def random(shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("shape", [(40, 30), (30, 40), (25, 25), (1, 9), (9, 1), (300, 7)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_squared_singular_values_in_any_orientation(shape, dtype):
    w = (10 * random(shape)).astype(dtype)
    expected = np.sort(np.linalg.svd(w.astype(float), compute_uv=False) ** 2)
    np.testing.assert_allclose(eigenvalues(w), expected, rtol=1e-10, atol=1e-12 * expected[-1])
    np.testing.assert_allclose(eigenvalues(np.asfortranarray(w)), expected, rtol=1e-10, atol=1e-12 * expected[-1])


def test_diagonal_matrix_is_known_exactly():
    assert eigenvalues(np.diag([3.0, -1.0, 2.0, 0.0])).tolist() == [0, 1, 4, 9]


@pytest.mark.parametrize("shape", [(700, 20), (20, 700)])
def test_blocks_add_up(monkeypatch, shape):
    w = random(shape)
    whole = gram(w)
    monkeypatch.setattr(module, "_BLOCK", 1)
    assert sum(block.size for block in module.blocks(w)) == w.size
    assert len(list(module.blocks(w))) > 5
    blocked = gram(w)
    np.testing.assert_allclose(np.tril(blocked), np.tril(whole), rtol=1e-12, atol=1e-12)
    full = w.astype(float) @ w.T.astype(float) if shape[0] < shape[1] else w.T.astype(float) @ w
    np.testing.assert_allclose(np.tril(blocked), np.tril(full), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("k", [-90, -1, 1, 10, 60])
def test_power_of_two_changes_no_digit(k):
    w = random((50, 20))
    np.testing.assert_array_equal(eigenvalues(np.ldexp(w, k)), np.ldexp(eigenvalues(w), 2 * k))


@pytest.mark.parametrize("factor", [1e-30, 1e-3, 1e3, 1e30])
def test_any_scale(factor):
    w = random((50, 20))
    np.testing.assert_allclose(eigenvalues(w * np.float32(factor)) / factor**2, eigenvalues(w), rtol=1e-5)


def test_rank_deficient_matrix_has_exact_zeros():
    w = (random((80, 5)) @ random((5, 60), 1)).astype(np.float32)
    values = eigenvalues(w)
    assert np.count_nonzero(values) == 5
    assert (values[:55] == 0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_entries_that_are_no_numbers_are_refused(bad):
    w = random((30, 20))
    w[17, 3] = bad
    assert not np.isfinite(largest_entry(w))
    with pytest.raises(ValueError, match="NaN or infinite entries"):
        eigenvalues(w)
    spectrum = compute_spectrum("a", "a", "linear", {"a": w}, permutations=2)
    assert spectrum.status == "NaN or infinite entries"
    assert spectrum.eigenvalues.size == spectrum.null.size == 0


def test_memory_of_a_long_memory_mapped_layer(tmp_path):
    w = random((200, 60_000))
    write_arrays(tmp_path / "w.safetensors", [("w", w)], {})
    mapped = Arrays(tmp_path / "w.safetensors")["w"]
    tracemalloc.start()
    values = eigenvalues(mapped)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.5 * w.nbytes
    assert values[-1] == eigenvalues(w)[-1]


@pytest.mark.parametrize(
    ("normalization", "kind", "factor"),
    [
        ("one_over_n", "conv2d", 1 / 40),
        ("none", "conv2d", 1),
        ("weightwatcher", "conv2d", 0.5),
        ("weightwatcher", "linear", 1),
    ],
)
def test_normalizations(normalization, kind, factor):
    w = random((30, 40))
    spectrum = compute_spectrum("a", "a", kind, {"a": w}, normalization, permutations=1)
    np.testing.assert_allclose(spectrum.eigenvalues, factor * eigenvalues(w), rtol=1e-14)
    np.testing.assert_allclose(spectrum.null.sum(), spectrum.eigenvalues.sum(), rtol=1e-12)
    assert (spectrum.n, spectrum.m, spectrum.q, spectrum.status) == (40, 30, 40 / 30, "ok")


def test_pooled_slices():
    slices = {f"c[0,{j}]": random((12, 8), j) for j in range(3)}
    spectrum = compute_spectrum("c", "c", "conv2d", slices, "none", permutations=4, seed=1)
    expected = np.sort(np.concatenate([eigenvalues(w) for w in slices.values()]))
    np.testing.assert_array_equal(spectrum.eigenvalues, expected)
    assert (spectrum.n_matrices, spectrum.n, spectrum.m) == (3, 12, 8)
    assert spectrum.null.shape == (4, 24)
    single = [permuted_eigenvalues(w, 4, generator(1, name)) for name, w in slices.items()]
    np.testing.assert_array_equal(spectrum.null, np.sort(np.concatenate(single, axis=1), axis=1))
    with pytest.raises(ValueError, match=r"c\[1,1\]: shape \(8, 9\)"):
        compute_spectrum("c", "c", "conv2d", {**slices, "c[1,1]": random((8, 9))})


def test_degenerate_matrices_are_spectra_too():
    zero = compute_spectrum("a", "a", "linear", {"a": np.zeros((6, 4), np.float32)}, permutations=2)
    assert zero.status == "ok"
    assert zero.eigenvalues.tolist() == [0] * 4
    column = compute_spectrum("a", "a", "linear", {"a": np.array([[3.0], [4.0]])}, "none")
    assert column.eigenvalues.tolist() == [25]
    empty = compute_spectrum("a", "a", "linear", {"a": np.zeros((0, 4), np.float32)}, permutations=2)
    assert (empty.status, empty.n, empty.m) == ("empty matrix", 4, 0)


def test_permutations_keep_the_entries_and_move_them():
    w = random((40, 30))
    w[0] *= 10
    null = permuted_eigenvalues(w, 5, generator(0, "a"))
    np.testing.assert_allclose(null.sum(axis=1), (w.astype(float) ** 2).sum(), rtol=1e-12)
    assert len(np.unique(null[:, -1])) == 5
    assert (null[:, -1] < 0.5 * eigenvalues(w)[-1]).all()


def test_permutations_depend_on_seed_and_name_only():
    w = random((40, 30))
    null = permuted_eigenvalues(w, 5, generator(0, "a"))
    np.testing.assert_array_equal(permuted_eigenvalues(w, 2, generator(0, "a")), null[:2])
    assert (permuted_eigenvalues(w, 2, generator(0, "b")) != null[:2]).any()
    assert (permuted_eigenvalues(w, 2, generator(1, "a")) != null[:2]).any()
    assert permuted_eigenvalues(w, 0, generator(0, "a")).shape == (0, 30)
