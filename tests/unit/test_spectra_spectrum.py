import numpy as np

from htsr.files import Arrays, write_arrays
from htsr.spectra.spectrum import Spectrum, from_arrays, to_arrays, to_header


def test_spectra_survive_a_file(tmp_path):
    spectra = [
        Spectrum("b[0,1]", "b", "conv2d", 4, 2, 2.0, "none", 1, np.array([1.0, 3.0]), np.array([[1.5, 2.5]] * 3)),
        Spectrum("bad", "bad", "linear", 5, 5, 1.0, "none", status="NaN or infinite entries"),
        Spectrum("a", "a", "linear", 3, 1, 3.0, "none", 1, np.array([0.5]), windows=np.array([0.1, 0.2])),
    ]
    path = tmp_path / "esd.safetensors"
    write_arrays(path, to_arrays(spectra), to_header(spectra))
    arrays = Arrays(path)
    found = list(from_arrays(arrays, arrays.header))
    assert list(arrays) == ["b[0,1]", "null/b[0,1]", "a", "windows/a"]
    for one, other in zip(spectra, found, strict=True):
        arrays = {"eigenvalues", "null", "windows"}
        assert {key: one for key, one in vars(one).items() if key not in arrays} == {
            key: other for key, other in vars(other).items() if key not in arrays
        }
        for key in arrays:
            np.testing.assert_array_equal(getattr(one, key), getattr(other, key))


def test_empty_file_of_spectra():
    assert list(from_arrays({}, to_header([]))) == []
