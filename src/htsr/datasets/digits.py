"""Handwritten digits bundled with scikit-learn."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from htsr.errors import InputError


def read_digits() -> tuple[np.ndarray, np.ndarray]:
    """1797 images (n x 1 x 8 x 8, float32, grey levels 0 to 16) and their labels 0 to 9 (int64).

    The test part of "Optical Recognition of Handwritten Digits" (Alpaydin, Kaynak 1998, UCI machine learning
    repository), as `sklearn.datasets.load_digits` gives it. Raises InputError where scikit-learn is not installed.
    """
    package = find_spec("sklearn")  # only found: importing it takes longer than most trainings on these images
    if package is None:
        raise InputError("the images come with scikit-learn, which is not installed")
    table = np.loadtxt(Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz", np.float32, delimiter=",")
    return table[:, :-1].reshape(-1, 1, 8, 8), table[:, -1].astype(np.int64)
