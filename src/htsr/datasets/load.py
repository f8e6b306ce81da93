"""Data sets by name, split and normalized as networks see them."""

from htsr.datasets.digits import read_digits
from htsr.datasets.split import Split, normalize, stratified_split
from htsr.errors import InputError

DATASETS = {"digits": (read_digits, 10)}


def load(name: str, test_fraction: float, seed: int, train_fraction: float = 1.0) -> Split:
    """The data set `name`, with `test_fraction` of every class held out.

    Of what remains, `train_fraction` of every class is trained on; the held-out images do not depend on it. Grey levels
    are normalized from the images trained on. Raises InputError for an unknown name or a fraction that leaves nothing.
    """
    if name not in DATASETS:
        raise InputError(f"data set {name!r} is unknown: choose one of {', '.join(sorted(DATASETS))}")
    read, classes = DATASETS[name]
    images, labels = read()
    try:
        train, test = stratified_split(labels, test_fraction, seed)
        if train_fraction != 1:
            train = train[stratified_split(labels[train], train_fraction, seed)[1]]
    except InputError as error:
        raise InputError(f"data set {name!r}: {error}") from error
    train_images, test_images = normalize(images[train], images[test])
    return Split(train_images, labels[train], test_images, labels[test], classes)
