"""Train and test images of a classification task, split by class."""

from dataclasses import dataclass

import numpy as np

from htsr.errors import InputError


@dataclass(frozen=True)
class Split:
    """Images as float32 arrays n x channels x height x width, labels 0..classes-1 as int64 arrays of length n."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one image."""
        return self.train_images.shape[1:]


def stratified_split(labels: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of (the rest, the part): the part takes `fraction` of every class, rounded, both in random order.

    Raises InputError where a class would have no image on one of the two sides.
    """
    rng = np.random.default_rng(seed)
    rest, part = [], []
    for label in np.unique(labels):
        indices = rng.permutation(np.flatnonzero(labels == label))
        size = round(fraction * len(indices))
        if not 0 < size < len(indices):
            raise InputError(f"a fraction of {fraction} leaves no image of class {label} on one side: choose another")
        part.append(indices[:size])
        rest.append(indices[size:])
    return rng.permutation(np.concatenate(rest)), rng.permutation(np.concatenate(part))


def normalize(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both sets (n x c x h x w, uint8) as float32, shifted and scaled to mean 0 and variance 1 of `train`'s channels.

    Raises InputError where a channel of `train` has one grey level only.
    """
    levels = np.arange(256)
    train_images, test_images = (np.empty(images.shape, np.float32) for images in (train, test))
    for channel in range(train.shape[1]):
        counts = np.zeros(256, np.int64)
        for image in train[:, channel]:  # one by one: bincount makes 8 bytes of each
            counts += np.bincount(image.ravel(), minlength=256)
        mean = counts @ levels / counts.sum()
        std = np.sqrt(counts @ (levels - mean) ** 2 / counts.sum())
        if std == 0:
            raise InputError(f"channel {channel} has the same grey level in all training images")
        scaled = ((levels - mean) / std).astype(np.float32)
        train_images[:, channel], test_images[:, channel] = scaled[train[:, channel]], scaled[test[:, channel]]
    return train_images, test_images


def balanced_subset(labels: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Indices of `size` examples, ordered by class, as many of each class as can be: classes differ by one at most,
    unless one has no more. Drawn without replacement; with the same seed a smaller subset is part of a larger one.

    Raises InputError where there are fewer than `size` examples, or for a size below 1.
    """
    if not 1 <= size <= len(labels):
        raise InputError(f"{size} examples are asked for, and there are {len(labels)}")
    rng = np.random.default_rng([seed, 3])
    queues = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    turn = np.concatenate([np.arange(len(queue)) for queue in queues])
    which = np.concatenate([np.full(len(queue), i) for i, queue in enumerate(queues)])
    chosen = np.lexsort((which, turn))[:size]  # the first of every class, then the second, ...
    counts = np.bincount(which[chosen], minlength=len(queues))
    return np.concatenate([queue[:count] for queue, count in zip(queues, counts, strict=True)])
