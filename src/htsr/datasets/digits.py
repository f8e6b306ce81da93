"""Handwritten digits bundled with scikit-learn."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from htsr.errors import InputError


def digits_file() -> Path:
    """The table of 1797 images in scikit-learn's package. Raises InputError where scikit-learn is not installed."""
    package = find_spec("sklearn")  # only found: importing it takes longer than most trainings on these images
    if package is None:
        raise InputError("the images come with scikit-learn, which is not installed")
    return Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"


def read_digits(file: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """1797 images (n x 1 x 8 x 8, uint8, grey levels 0 to 16) and their labels 0 to 9 (int64).

    The test part of "Optical Recognition of Handwritten Digits" (Alpaydin, Kaynak 1998, UCI machine learning
    repository), as `sklearn.datasets.load_digits` gives it.
    """
    table = np.loadtxt(file, np.float32, delimiter=",").astype(np.uint8)
    return table[:, :-1].reshape(-1, 1, 8, 8), table[:, -1].astype(np.int64)
