"""Data sets: what is read, how it is split and normalized."""

import numpy as np
import pytest

from htsr.datasets.digits import read_digits
from htsr.datasets.load import load
from htsr.datasets.split import normalize, stratified_split
from htsr.errors import InputError


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    images, labels = read_digits()
    expected = load_digits()
    assert images.shape == (1797, 1, 8, 8) and images.dtype == np.float32 and labels.dtype == np.int64
    assert np.array_equal(images[:, 0], expected.images)
    assert np.array_equal(labels, expected.target)


def test_split_takes_the_fraction_of_every_class_and_parts_all_indices():
    labels = np.repeat([0, 1, 2], [10, 20, 70])
    rest, part = stratified_split(labels, 0.3, seed=5)
    assert np.bincount(labels[part]).tolist() == [3, 6, 21]
    assert sorted([*rest, *part]) == list(range(100))
    again, other = stratified_split(labels, 0.3, seed=5)[1], stratified_split(labels, 0.3, seed=6)[1]
    assert np.array_equal(part, again) and set(part) != set(other)


@pytest.mark.parametrize("fraction", [0.0, 0.001, 0.999, 1.0, -0.5, 1.5])
def test_a_fraction_that_empties_a_side_is_refused(fraction):
    with pytest.raises(InputError, match=f"{fraction}.*class 0"):
        stratified_split(np.zeros(50, np.int64), fraction, seed=0)


def test_normalization_is_that_of_the_training_images():
    rng = np.random.default_rng(0)
    train = rng.normal([[[[3.0]], [[-1.0]]]], [[[[2.0]], [[0.1]]]], (200, 2, 4, 4))
    scaled, test = normalize(train, train[:5] + 2)
    assert np.allclose(scaled.mean((0, 2, 3)), 0, atol=1e-6) and np.allclose(scaled.std((0, 2, 3)), 1, atol=1e-6)
    assert np.allclose(test - scaled[:5], 2 / train.std((0, 2, 3))[:, None, None], rtol=1e-5)
    assert scaled.dtype == test.dtype == np.float32


def test_loaded_digits_are_stratified_normalized_and_disjoint():
    data = load("digits", 0.5, seed=0)
    assert data.shape == (1, 8, 8) and data.classes == 10
    assert len(data.train_labels) + len(data.test_labels) == 1797
    assert np.all(np.abs(np.bincount(data.train_labels) - np.bincount(data.test_labels)) <= 1)
    assert abs(data.train_images.mean()) < 1e-5 and abs(data.train_images.std() - 1) < 1e-5
    assert 0 < abs(data.test_images.mean()) < 0.1
    read, _ = read_digits()
    assert len(np.unique(read, axis=0)) == 1797  # so that equal images would betray an overlap
    assert len(np.unique(np.concatenate([data.train_images, data.test_images]), axis=0)) == 1797


def test_a_share_of_the_training_images_leaves_the_test_images_alone():
    whole, part = load("digits", 0.5, seed=0), load("digits", 0.5, seed=0, train_fraction=0.1)
    assert np.array_equal(part.test_labels, whole.test_labels)
    assert np.bincount(part.train_labels).tolist() == [9] * 10
    grey = [np.round(images * read_std + read_mean) for images, read_mean, read_std in map(_scale, (whole, part))]
    seen = {image.tobytes() for image in grey[0]}
    assert all(image.tobytes() in seen for image in grey[1])


def _scale(data):
    """Training images with the shift and scale that make them grey levels 0 to 16 again."""
    low, high = data.train_images.min(), data.train_images.max()
    return data.train_images, -16 * low / (high - low), 16 / (high - low)


def test_an_unknown_data_set_is_named_with_the_known_ones():
    with pytest.raises(InputError, match=r"'digit' is unknown.*digits"):
        load("digit", 0.5, seed=0)
    with pytest.raises(InputError, match="data set 'digits': a fraction of 2"):
        load("digits", 2.0, seed=0)
