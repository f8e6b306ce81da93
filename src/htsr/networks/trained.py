"""Networks that are trained or published, ready to run, with the images and labels that they were trained on."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from htsr.datasets.load import load
from htsr.datasets.noise import add_noise, randomize_labels
from htsr.datasets.split import Split, balanced_subset
from htsr.errors import InputError
from htsr.files import Arrays
from htsr.models.weights import read_weights
from htsr.networks.build import build
from htsr.networks.published import NORMALIZATIONS, normalization_of, resnet_from_state


@dataclass(frozen=True)
class Trained:
    """A network in evaluation mode with what it saw.

    data: images as the network sees them (with the noise that it was trained on) and the labels that it was trained
    on; true_labels: of the training images, before some were replaced. header: of the file of weights. loss: its name.
    """

    network: nn.Module
    data: Split
    true_labels: np.ndarray
    header: dict[str, Any]
    loss: str = "cross_entropy"


def load_trained(
    weights: str | Path, images: str | Path, *, states: str | Path | None = None, epoch: int | None = None
) -> Trained:
    """A network from files of train_model or download_model (`weights`) and download_dataset (`images`).

    epoch: that of `states`, the weights over time of train_model, in place of the final weights. Published networks see
    images normalized as their authors did. Raises InputError, naming the file, where it holds no such network or epoch,
    and where the images are of another size or number of classes.
    """
    tensors, header = read_weights(weights)
    if epoch is not None:
        tensors = _at_epoch(states, epoch)
    state = {key: torch.from_numpy(np.array(tensor)) for key, tensor in tensors.items()}
    if header.get("source") == "trained":
        return _of_ours(state, header, weights, images)
    try:
        network = resnet_from_state(state)
    except InputError as error:
        raise InputError(f"{weights}: {error}") from error
    data = _normalized(images, *NORMALIZATIONS[normalization_of(state)])
    _check_fit(network, data, weights, images)
    return Trained(network, data, data.train_labels, header)


def _at_epoch(states: str | Path | None, epoch: int) -> dict[str, Any]:
    if states is None:
        raise InputError(f"epoch {epoch}: weights over time are needed, and `states` names no file of them")
    tensors, header = read_weights(states)
    if epoch not in header.get("epochs", []):
        raise InputError(f"{states}: there is no epoch {epoch}; it has {header.get('epochs', 'none')}")
    prefix = f"{epoch}/"
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def _of_ours(state: Mapping[str, Tensor], header: dict[str, Any], weights: str | Path, images: str | Path) -> Trained:
    settings = header["settings"]
    seen = {key: settings["dataset"][key] for key in ("test_fraction", "test_size", "seed")}
    clean = load(images, train_fraction=settings["train_fraction"], crop=settings["crop"], **seen)
    seed = settings["seed"]
    labels, _ = randomize_labels(
        clean.train_labels, settings["label_noise"], clean.classes, settings["label_noise_kind"], seed
    )
    noisy = add_noise(clean.train_images, settings["input_noise"], seed)
    network = build(**settings["network"], shape=clean.shape, classes=clean.classes, generator=Generator())
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(
            f"{weights}: its weights do not fit its own settings on {images}: another data set?"
        ) from error
    data = replace(clean, train_images=noisy, train_labels=labels)
    return Trained(network.eval(), data, clean.train_labels, header, settings["loss"])


def _normalized(images: str | Path, mean: tuple[float, ...], std: tuple[float, ...]) -> Split:
    """A data set with test images of its own, its grey levels scaled to 0..1, less `mean`, over `std`, by channel."""
    arrays = Arrays(images)
    missing = [name for name in ("test_images", "test_labels") if name not in arrays]
    if missing or arrays["train_images"].shape[1] != len(mean):
        raise InputError(f"{images}: a published network needs images of {len(mean)} channels and a test set")
    levels = np.arange(256)[:, None] / 255
    scaled = ((levels - np.array(mean)) / np.array(std)).astype(np.float32)

    def seen(pixels: np.ndarray) -> np.ndarray:
        out = np.empty(pixels.shape, np.float32)
        for channel in range(len(mean)):
            out[:, channel] = scaled[pixels[:, channel], channel]
        return out

    train, test = (seen(arrays[f"{part}_images"]) for part in ("train", "test"))
    labels = (np.asarray(arrays[f"{part}_labels"]) for part in ("train", "test"))
    train_labels, test_labels = labels
    return Split(train, train_labels, test, test_labels, len(arrays.header["classes"]))


def _check_fit(network: nn.Module, data: Split, weights: str | Path, images: str | Path) -> None:
    try:
        with torch.no_grad():
            classes = network(torch.zeros(1, *data.shape)).shape[1]
    except RuntimeError as error:
        raise InputError(f"{weights}: does not run on images of {data.shape} ({images})") from error
    if classes != data.classes:
        raise InputError(f"{weights}: tells {classes} classes apart, {images} has {data.classes}")


@dataclass(frozen=True)
class Examples:
    """n examples ordered by their true class: images (n x c x h x w, float32), labels trained on, true labels."""

    images: np.ndarray
    labels: np.ndarray
    true_labels: np.ndarray
    classes: int


def examples(trained: Trained, split: str, count: int, seed: int) -> Examples:
    """`count` examples of the training or the test images (`train`, `test`), as many of each class as can be.

    The same for all networks that see the same images. Raises InputError where there are fewer.
    """
    data = trained.data
    if split not in ("train", "test"):
        raise InputError(f"split {split!r}: choose train or test")
    images = getattr(data, f"{split}_images")
    labels = getattr(data, f"{split}_labels")
    true = trained.true_labels if split == "train" else labels
    chosen = balanced_subset(true, count, seed)
    return Examples(images[chosen], labels[chosen], true[chosen], data.classes)


def untrained(trained: Trained, seed: int) -> Trained:
    """The network with random weights in place of its own: Gaussian of variance 2 / fan-in, batch norm the identity."""
    network = copy.deepcopy(trained.network)
    generator = Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    return replace(trained, network=network.eval())
