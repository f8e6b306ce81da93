"""Data that carry less than they seem to: replaced labels and noisy images.

Each draws from random numbers of its own, [seed, 1] and [seed, 2], apart from those that split the images.
"""

import numpy as np

from htsr.errors import InputError


def randomize_labels(
    labels: np.ndarray, fraction: float, classes: int, kind: str, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Labels (int64, 0..classes-1) of which round(fraction n), chosen at random, are replaced, and the mask of these.

    kind: `uniform` draws from all classes, so that about 1/classes of the replaced keep what they had ("partially
    corrupted labels", Zhang et al. 2017, section 2.1); `other` from all but the label's own (symmetric noise). With
    the same seed the labels replaced at a smaller fraction are among those at a larger one, with the same new labels.
    Raises InputError for a fraction outside [0, 1], an unknown kind, or no other class to draw from.
    """
    if not 0 <= fraction <= 1:
        raise InputError(f"label noise of {fraction}: choose a share between 0 and 1")
    if kind not in ("uniform", "other"):
        raise InputError(f"label noise of kind {kind!r} is unknown: choose uniform or other")
    if kind == "other" and classes < 2:
        raise InputError("label noise of kind 'other' needs two classes or more")
    rng = np.random.default_rng([seed, 1])
    order = rng.permutation(len(labels))
    drawn = rng.integers(0, classes, len(labels)) if kind == "uniform" else rng.integers(1, classes, len(labels))
    new = drawn if kind == "uniform" else (labels + drawn) % classes
    replaced = np.zeros(len(labels), bool)
    replaced[order[: round(fraction * len(labels))]] = True
    return np.where(replaced, new, labels), replaced


def add_noise(images: np.ndarray, std: float, seed: int) -> np.ndarray:
    """Images with independent Gaussian noise of standard deviation `std` added to every pixel, as float32.

    Raises InputError for a negative or infinite `std`.
    """
    if not 0 <= std < np.inf:
        raise InputError(f"input noise of {std}: choose a standard deviation of 0 or more")
    if std == 0:
        return images.astype(np.float32, copy=False)
    noise = np.random.default_rng([seed, 2]).standard_normal(images.shape, np.float32)
    noise *= np.float32(std)
    noise += images
    return noise
