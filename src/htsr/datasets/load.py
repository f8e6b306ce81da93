"""Data sets as networks see them: cropped, split and normalized."""

from pathlib import Path

import numpy as np

from htsr.datasets.split import Split, normalize, stratified_split
from htsr.errors import InputError
from htsr.files import Arrays


def load(
    file: str | Path,
    *,
    test_fraction: float = 0.5,
    test_size: int = 0,
    crop: int = 0,
    seed: int = 0,
    train_fraction: float = 1.0,
) -> Split:
    """The data set in a file of `htsr.stages.download_dataset`.

    test_fraction: share of every class that is held out, for sets without test images of their own. test_size: number
    of test images, taken from all classes in proportion and rounded for each; 0 for all. crop: side of the central
    square that is kept, 0 for whole images. Of the training images, `train_fraction` of every class is used; the
    test images do not depend on it. Grey levels are normalized from the images trained on.
    Raises InputError, naming the data set, for a fraction, size or side that leaves nothing.
    """
    arrays = Arrays(file)
    classes = len(arrays.header["classes"])
    try:
        images, labels = _center(arrays["train_images"], crop), arrays["train_labels"]
        if "test_images" in arrays:
            train = np.arange(len(labels))
            test_images, test_labels = _center(arrays["test_images"], crop), arrays["test_labels"]
            test = np.arange(len(test_labels))
        else:
            train, test = stratified_split(labels, test_fraction, seed)
            test_images, test_labels = images, labels
        if not 0 <= test_size <= len(test):
            raise InputError(f"test_size {test_size}: there are {len(test)} test images")
        if 0 < test_size < len(test):
            test = test[stratified_split(test_labels[test], test_size / len(test), seed)[1]]
        if train_fraction != 1:
            train = train[stratified_split(labels[train], train_fraction, seed)[1]]
        train_images, test_images = normalize(images[train], test_images[test])
    except InputError as error:
        raise InputError(f"data set {arrays.header['name']!r}: {error}") from error
    return Split(train_images, labels[train], test_images, test_labels[test], classes)


def _center(images: np.ndarray, side: int) -> np.ndarray:
    """The central square of each image (n x c x h x w), of whole pixels: half of an odd rest stays at the top left."""
    height, width = images.shape[2:]
    if side == 0:
        return images
    if not 0 < side <= min(height, width):
        raise InputError(f"crop {side}: the images have {height} x {width} pixels")
    top, left = (height - side) // 2, (width - side) // 2
    return images[:, :, top : top + side, left : left + side]
