"""Data sets: how a file of images is split, cropped, normalized and disturbed."""

import numpy as np
import pytest

from htsr.datasets.load import load
from htsr.datasets.noise import add_noise, randomize_labels
from htsr.datasets.split import normalize, stratified_split
from htsr.errors import InputError
from htsr.files import Arrays, write_arrays


def test_digits_are_those_of_scikit_learn(digits):
    from sklearn.datasets import load_digits

    arrays, expected = Arrays(digits), load_digits()
    assert arrays["train_images"].dtype == np.uint8 and arrays["train_labels"].dtype == np.int64
    assert np.array_equal(arrays["train_images"][:, 0], expected.images)
    assert np.array_equal(arrays["train_labels"], expected.target)
    assert arrays.header["classes"] == [str(name) for name in expected.target_names]
    assert "test_images" not in arrays


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
    train = rng.integers([[[[10]], [[200]]]], [[[[90]], [[203]]]], (200, 2, 4, 4)).astype(np.uint8)
    scaled, test = normalize(train, train[:5] + np.uint8(2))
    assert np.allclose(scaled.mean((0, 2, 3)), 0, atol=1e-6) and np.allclose(scaled.std((0, 2, 3)), 1, atol=1e-6)
    assert np.allclose(test - scaled[:5], 2 / train.std((0, 2, 3))[:, None, None], rtol=1e-5)
    assert scaled.dtype == test.dtype == np.float32
    mean, std = (reduce(train, axis=(0, 2, 3), keepdims=True) for reduce in (np.mean, np.std))
    np.testing.assert_array_equal(scaled, ((train - mean) / std).astype(np.float32))
    train[:, 1] = 7
    with pytest.raises(InputError, match="channel 1 has the same grey level"):
        normalize(train, train)


def test_loaded_digits_are_stratified_normalized_and_disjoint(digits):
    data = load(digits, test_fraction=0.5, seed=0)
    assert data.shape == (1, 8, 8) and data.classes == 10
    assert len(data.train_labels) + len(data.test_labels) == 1797
    assert np.all(np.abs(np.bincount(data.train_labels) - np.bincount(data.test_labels)) <= 1)
    assert abs(data.train_images.mean()) < 1e-5 and abs(data.train_images.std() - 1) < 1e-5
    assert 0 < abs(data.test_images.mean()) < 0.1
    assert len(np.unique(Arrays(digits)["train_images"], axis=0)) == 1797  # so that equal images betray an overlap
    assert len(np.unique(np.concatenate([data.train_images, data.test_images]), axis=0)) == 1797


def test_a_share_of_the_training_images_leaves_the_test_images_alone(digits):
    whole, part = load(digits), load(digits, train_fraction=0.1)
    assert np.array_equal(part.test_labels, whole.test_labels)
    assert np.bincount(part.train_labels).tolist() == [9] * 10
    grey = [np.round(images * read_std + read_mean) for images, read_mean, read_std in map(_scale, (whole, part))]
    seen = {image.tobytes() for image in grey[0]}
    assert all(image.tobytes() in seen for image in grey[1])


def _scale(data):
    """Training images with the shift and scale that make them grey levels 0 to 16 again."""
    low, high = data.train_images.min(), data.train_images.max()
    return data.train_images, -16 * low / (high - low), 16 / (high - low)


@pytest.fixture(scope="module")
def own_test(tmp_path_factory):
    """A set of 3 classes with a test part of its own; the first pixel of an image is its number."""
    rng, arrays = np.random.default_rng(1), {}
    for part, n in (("train", 60), ("test", 90)):
        images = rng.integers(0, 256, (n, 2, 6, 5)).astype(np.uint8)
        images[:, 0, 0, 0] = np.arange(n)
        arrays |= {f"{part}_labels": np.arange(n) % 3, f"{part}_images": images}
    file = tmp_path_factory.mktemp("own") / "own.safetensors"
    write_arrays(file, arrays.items(), {"name": "own", "classes": ["a", "b", "c"]})
    return file


def test_a_test_part_of_its_own_is_kept_apart(own_test):
    data = load(own_test, test_fraction=0.9)
    assert np.array_equal(data.train_labels, np.arange(60) % 3) and len(data.test_labels) == 90
    assert abs(data.train_images.mean((0, 2, 3))).max() < 1e-6 < abs(data.test_images.mean((0, 2, 3))).max()
    some, same, other = (load(own_test, test_size=30, seed=seed) for seed in (0, 0, 1))
    assert np.bincount(some.test_labels).tolist() == [10, 10, 10]
    assert np.array_equal(some.test_images, same.test_images) and not np.array_equal(
        some.test_images, other.test_images
    )
    assert np.array_equal(some.train_images, data.train_images)


def test_the_central_square_is_kept(own_test):
    read = Arrays(own_test)
    expected = normalize(read["train_images"][:, :, 1:5, 0:4], read["test_images"][:, :, 1:5, 0:4])
    data = load(own_test, crop=4)
    assert data.shape == (2, 4, 4)
    assert np.array_equal(data.train_images, expected[0]) and np.array_equal(data.test_images, expected[1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"test_size": 91}, "data set 'own': test_size 91: there are 90"),
        ({"test_size": -1}, "test_size -1"),
        ({"test_size": 1}, "leaves no image of class 0"),
        ({"crop": 6}, "crop 6: the images have 6 x 5"),
        ({"crop": -2}, "crop -2"),
        ({"train_fraction": 2.0}, "a fraction of 2"),
    ],
)
def test_settings_that_leave_nothing(own_test, settings, message):
    with pytest.raises(InputError, match=message):
        load(own_test, **settings)


@pytest.mark.parametrize("fraction", [0.0, 0.1, 1 / 3, 0.5, 1.0])
def test_exactly_the_share_of_labels_is_replaced(fraction):
    labels = np.random.default_rng(0).integers(0, 10, 3001)
    noisy, replaced = randomize_labels(labels, fraction, 10, "other", seed=3)
    assert replaced.sum() == round(fraction * 3001) and noisy.dtype == labels.dtype
    assert np.array_equal(noisy != labels, replaced), "never its own class"
    assert noisy.min() >= 0 and noisy.max() < 10
    uniform, drawn = randomize_labels(labels, fraction, 10, "uniform", seed=3)
    assert np.array_equal(replaced, drawn) and np.array_equal(uniform[~drawn], labels[~drawn])
    kept, n = (uniform == labels)[drawn].sum(), drawn.sum()
    assert abs(kept - n / 10) <= 4 * (0.09 * n) ** 0.5, "by chance one in ten keeps its class"


def test_new_labels_are_even_over_the_other_classes():
    noisy, _ = randomize_labels(np.full(9000, 4), 1.0, 10, "other", seed=0)
    counts = np.bincount(noisy, minlength=10)
    assert counts[4] == 0
    assert ((np.delete(counts, 4) - 1000) ** 2 / 1000).sum() < 26.1, "chi squared with 8 degrees at the level of 0.001"


def test_noise_is_seeded_and_nested():
    labels = np.arange(500) % 5
    (some, few), (more, many) = (randomize_labels(labels, fraction, 5, "other", seed=1) for fraction in (0.2, 0.6))
    assert np.array_equal(more[few], some[few]) and not (few & ~many).any()
    assert np.array_equal(randomize_labels(labels, 0.2, 5, "other", seed=1)[0], some)
    assert not np.array_equal(randomize_labels(labels, 0.2, 5, "other", seed=2)[1], few)
    assert np.array_equal(labels, np.arange(500) % 5)
    images = np.zeros((50, 1, 30, 30), np.float32)
    noise = add_noise(images, 0.5, seed=1)
    assert noise.dtype == np.float32 and not images.any() and np.array_equal(noise, add_noise(images, 0.5, seed=1))
    assert abs(noise.std() - 0.5) < 0.01 and abs(noise.mean()) < 0.01
    assert not np.array_equal(noise, add_noise(images, 0.5, seed=2))
    assert np.array_equal(add_noise(images, 0.0, seed=1), images)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: randomize_labels(np.zeros(3, int), 1.1, 2, "other", 0), "label noise of 1.1"),
        (lambda: randomize_labels(np.zeros(3, int), float("nan"), 2, "other", 0), "label noise of nan"),
        (lambda: randomize_labels(np.zeros(3, int), 0.5, 2, "pairs", 0), "kind 'pairs' is unknown"),
        (lambda: randomize_labels(np.zeros(3, int), 0.5, 1, "other", 0), "two classes"),
        (lambda: add_noise(np.zeros(3), -1.0, 0), "input noise of -1"),
        (lambda: add_noise(np.zeros(3), float("nan"), 0), "input noise of nan"),
    ],
)
def test_noise_that_makes_no_sense(call, message):
    with pytest.raises(InputError, match=message):
        call()
