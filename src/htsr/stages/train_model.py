"""Train one network of the project's own, and measure its accuracy."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from omegaconf import MISSING
from torch import Tensor, nn

from htsr.config import Dataset, TrainModel
from htsr.datasets.load import load
from htsr.errors import InputError
from htsr.files import write_table
from htsr.models.layers import known_layers
from htsr.models.loading import load_state
from htsr.models.weights import count_parameters, write_weights
from htsr.networks.build import build
from htsr.networks.train import evaluate, filters, train
from htsr.stage import stage

log = logging.getLogger("htsr.train_model")

_LEAST = {"epochs": 0, "batch_size": 1, "learning_rate": 0, "momentum": 0, "weight_decay": 0, "group_lasso": 0}


@dataclass
class TrainModelJob(TrainModel):
    """start: the weights of the model that `start_from` names."""

    name: str = MISSING
    dataset: Dataset = field(default_factory=Dataset)
    start: str | None = None
    weights: str = MISSING
    history: str = MISSING


@stage(TrainModelJob)
def main(job: TrainModelJob) -> None:
    torch.set_deterministic_debug_mode("error")  # use_deterministic_algorithms without importing the compiler (2 s)
    torch.set_num_threads(1)  # models are trained side by side, and sums keep their order
    try:
        network, history, source = trained(job)
    except InputError as error:
        raise InputError(f"model {job.name}: {error}") from error
    state = network.state_dict()
    header = {
        "model": job.name,
        "source": "trained",
        "origin": "trained",
        "sha256": None,
        "accuracy": history[-1]["test_accuracy"],
        "accuracy_source": source,
        "train_accuracy": history[-1]["train_accuracy"],
        "n_parameters": count_parameters(state),
        "layers": known_layers(network),
        "tied": {},
    }
    write_table(job.history, history)
    write_weights(job.weights, state, header)


def trained(job: TrainModelJob) -> tuple[nn.Module, list[dict[str, float | None]], str]:
    """The network after training, its history from epoch 0 (before training) on, and where its accuracy is from."""
    for key, least in _LEAST.items():
        if getattr(job, key) < least:
            raise InputError(f"{key}: {getattr(job, key)} is less than {least}")
    data = load(job.dataset.name, job.dataset.test_fraction, job.dataset.seed, job.train_fraction)
    images, labels, test_images, test_labels = map(
        torch.from_numpy, (data.train_images, data.train_labels, data.test_images, data.test_labels)
    )
    generator = torch.Generator().manual_seed(job.seed)
    network = build(job.network.name, job.network.width, job.network.depth, data.shape, data.classes, generator)
    if job.group_lasso and not filters(network):
        raise InputError(f"group_lasso acts on filters, and network {job.network.name!r} has none: set it to 0")
    if job.start_from and not job.start:
        raise InputError(f"start_from names {job.start_from!r}, but `start` gives no file of its weights")
    if job.start:
        load_start(network, load_state(job.start), job.start)
    history = []

    def record(epoch: int, rate: float | None) -> None:
        loss, train_accuracy = evaluate(network, images, labels)
        if not math.isfinite(loss):
            raise InputError(
                f"training diverged in epoch {epoch} (loss {loss}) with {job.network}, learning_rate "
                f"{job.learning_rate}, momentum {job.momentum}, batch_size {job.batch_size}: lower the learning rate"
            )
        _, test_accuracy = evaluate(network, test_images, test_labels)
        row = {"epoch": epoch, "loss": loss, "train_accuracy": train_accuracy, "test_accuracy": test_accuracy}
        history.append(row | {"learning_rate": rate})
        log.info(
            "%s: epoch %d of %d, loss %.4f, accuracy %.2f %% on %d training images, %.2f %% on %d test images",
            job.name, epoch, job.epochs, loss, train_accuracy, len(labels), test_accuracy, len(test_labels),
        )  # fmt: skip

    record(0, None)
    train(
        network,
        images,
        labels,
        epochs=job.epochs,
        batch_size=job.batch_size,
        learning_rate=job.learning_rate,
        momentum=job.momentum,
        weight_decay=job.weight_decay,
        group_lasso=job.group_lasso,
        generator=generator,
        after_epoch=record,
    )
    return network, history, f"measured on the held-out {len(test_labels)} images of {job.dataset.name}"


def load_start(network: nn.Module, state: Mapping[str, Tensor], file: str) -> None:
    """Give the network the weights of a state dict. Raises InputError where a name or a shape differs."""
    own = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    given = {key: tuple(tensor.shape) for key, tensor in state.items()}
    for key in own | given:
        if own.get(key) != given.get(key):
            raise InputError(
                f"{file}: {key} has shape {given.get(key, 'none')} there and {own.get(key, 'none')} in this network: "
                "start from a model of the same architecture"
            )
    network.load_state_dict(state)


if __name__ == "__main__":
    main()
