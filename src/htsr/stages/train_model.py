"""Train one network of the project's own, and measure its accuracy.

In: images (`images`, safetensors of download_dataset). Out: final weights (`weights`, safetensors), weights over time
(`states`, safetensors, tensors named <epoch>/<weight>) and the history (`history`, CSV, one row for each evaluated
epoch, 0 being the initial state):
    loss, train_accuracy        on the training images as trained on, with the noise of their labels
    true_accuracy               on the training images against their true labels
    test_loss, test_accuracy    on the test images
    learning_rate               of that epoch
A training that diverges ends there; the header's `status` says so, and accuracy is empty. An interrupted one goes on
from `resume`, where its state is saved now and then, to the same weights.
"""

import hashlib
import json
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from omegaconf import MISSING
from torch import Generator, Tensor, nn

from htsr.config import Dataset, TrainModel
from htsr.datasets.load import load
from htsr.datasets.noise import add_noise, randomize_labels
from htsr.datasets.split import stratified_split
from htsr.errors import InputError
from htsr.files import write_table
from htsr.models.layers import known_layers
from htsr.models.loading import load_state
from htsr.models.weights import count_parameters, read_weights, write_weights
from htsr.networks.build import build
from htsr.networks.train import Progress, Recipe, evaluate, filters, log_spaced, percent, state_of, train
from htsr.stage import stage

log = logging.getLogger("htsr.train_model")

_LEAST = {
    "epochs": 0,
    "batch_size": 1,
    "learning_rate": 0,
    "momentum": 0,
    "weight_decay": 0,
    "group_lasso": 0,
    "label_noise": 0,
    "input_noise": 0,
    "crop": 0,
    "early_stopping": 0,
    "log_checkpoints": 0,
    "evaluate_every": 1,
    "threads": 1,
}


@dataclass
class TrainModelJob(TrainModel):
    """start: the weights of the model that `start_from` names.

    resume: the file that holds the state of an interrupted training, saved every `save_seconds`; null for none.
    """

    name: str = MISSING
    dataset: Dataset = field(default_factory=Dataset)
    images: str = MISSING
    start: str | None = None
    resume: str | None = None
    save_seconds: float = 30.0
    weights: str = MISSING
    states: str = MISSING
    history: str = MISSING


@stage(TrainModelJob)
def main(job: TrainModelJob) -> None:
    try:
        network, progress, header = trained(job)
    except InputError as error:
        raise InputError(f"model {job.name}: {error}") from error
    write_table(job.history, progress.history)
    states = {f"{epoch}/{key}": t for epoch, state in sorted(progress.checkpoints.items()) for key, t in state.items()}
    write_weights(job.states, states, header | {"epochs": sorted(progress.checkpoints)})
    write_weights(job.weights, state_of(network), header)
    if job.resume:
        Path(job.resume).unlink(missing_ok=True)


def trained(job: TrainModelJob) -> tuple[nn.Module, Progress, dict[str, Any]]:
    """The network after training, the course of it, and what the files of weights say of it."""
    check(job)
    device = prepare(job)
    seen = {key: getattr(job.dataset, key) for key in ("test_fraction", "test_size", "seed")}
    data = load(job.images, train_fraction=job.train_fraction, crop=job.crop, **seen)
    labels, replaced = randomize_labels(
        data.train_labels, job.label_noise, data.classes, job.label_noise_kind.value, job.seed
    )
    noisy = add_noise(data.train_images, job.input_noise, job.seed)
    images, labels, true_labels, test_images, test_labels = (
        torch.from_numpy(a).to(device) for a in (noisy, labels, data.train_labels, data.test_images, data.test_labels)
    )
    validation = None
    if job.early_stopping:
        parts = stratified_split(data.train_labels, job.validation_fraction, job.seed)
        rest, held_out = (torch.from_numpy(part).to(device) for part in parts)
        validation = images[held_out], labels[held_out]
        images, labels, true_labels = images[rest], labels[rest], true_labels[rest]
    generator = Generator().manual_seed(job.seed)
    torch.manual_seed(job.seed)  # of dropout
    network = build(
        job.network.name, job.network.width, job.network.depth, data.shape, data.classes, generator,
        dropout=job.network.dropout, skip=job.network.skip,
    )  # fmt: skip
    if job.group_lasso and not filters(network):
        raise InputError(f"group_lasso acts on filters, and network {job.network.name!r} has none: set it to 0")
    if job.start:
        load_start(network, load_state(job.start), job.start)
    if filters(network):  # convolutions are a tenth to a third faster with the channels of a pixel side by side
        network.to(memory_format=torch.channels_last)
        images, test_images = (i.contiguous(memory_format=torch.channels_last) for i in (images, test_images))
    network.to(device)
    key = fingerprint(job, network, images, labels)
    progress = restored(job.resume, key, network, generator) if job.resume else None
    if progress:
        log.info("%s: goes on after epoch %d, from %s", job.name, progress.epoch, job.resume)
    kept = {*job.checkpoints, *log_spaced(job.log_checkpoints, job.epochs)}
    began, saved, first = time.monotonic(), time.monotonic(), progress.epoch if progress else 0

    def measure(epoch: int, rate: float | None) -> dict[str, Any] | None:
        if 0 < epoch < job.epochs and epoch % job.evaluate_every and epoch not in kept:
            return None
        loss, predicted = evaluate(network, images, labels, job.loss.value)
        test_loss, test_predicted = evaluate(network, test_images, test_labels, job.loss.value)
        row = {
            "epoch": epoch,
            "loss": loss,
            "train_accuracy": percent(predicted, labels),
            "true_accuracy": percent(predicted, true_labels),
            "test_loss": test_loss,
            "test_accuracy": percent(test_predicted, test_labels),
            "learning_rate": rate,
        }
        left = (time.monotonic() - began) / max(epoch - first, 1) * (job.epochs - epoch)
        log.info(
            "%s: epoch %d of %d, loss %.4f, accuracy %.2f %% on %d training and %.2f %% on %d test images, %.0f s left",
            job.name, epoch, job.epochs, loss, row["train_accuracy"], len(labels), row["test_accuracy"],
            len(test_labels), left,
        )  # fmt: skip
        return row

    def after_epoch(progress: Progress) -> None:
        nonlocal saved
        if job.resume and time.monotonic() - saved >= job.save_seconds:
            save(job.resume, key, network, generator, progress)
            saved = time.monotonic()

    progress = train(
        network,
        images,
        labels,
        recipe(job),
        generator,
        measure,
        kept_epochs=kept,
        validation=validation,
        progress=progress,
        after_epoch=after_epoch,
    )
    final = progress.final_epoch
    last = next((row for row in progress.history if row["epoch"] == final), None)
    if last is None:  # it ended between two evaluations
        last = measure(0, None) | {"epoch": final}
        progress.history.append(last)
    return network, progress, described(job, network, progress, last, len(test_labels), int(replaced.sum()))


def recipe(job: TrainModelJob) -> Recipe:
    """The settings of the job that are a recipe's."""
    given = {entry.name: getattr(job, entry.name) for entry in fields(Recipe)}
    return Recipe(**{key: value.value if hasattr(value, "value") else value for key, value in given.items()})


def described(
    job: TrainModelJob, network: nn.Module, progress: Progress, last: Mapping[str, Any], n_test: int, n_replaced: int
) -> dict[str, Any]:
    """The header of the files of weights: origin, accuracies (percent; None after a divergence), status, settings."""
    ok = progress.status == "ok"
    source = f"measured on {n_test} test images of {job.dataset.name}" if ok else f"training {progress.status}"
    if not ok:
        log.warning(
            "%s: training %s (loss %s) with learning_rate %s, momentum %s, batch_size %d: lower the learning rate",
            job.name, progress.status, last["loss"], job.learning_rate, job.momentum, job.batch_size,
        )  # fmt: skip
    settings = {entry.name: getattr(job, entry.name) for entry in fields(TrainModel)}
    return {
        "model": job.name,
        "source": "trained",
        "origin": "trained",
        "sha256": None,
        "accuracy": last["test_accuracy"] if ok else None,
        "accuracy_source": source,
        "train_accuracy": last["train_accuracy"] if ok else None,
        "n_parameters": count_parameters(network.state_dict()),
        "layers": known_layers(network),
        "tied": {},
        "status": progress.status,
        "final_epoch": last["epoch"],
        "n_labels_replaced": n_replaced,
        "settings": plain(settings | {"dataset": job.dataset}),
    }


def plain(value: Any) -> Any:
    """Settings as JSON knows them."""
    return json.loads(json.dumps(value, default=lambda entry: getattr(entry, "value", None) or asdict(entry)))


def check(job: TrainModelJob) -> None:
    """Raises InputError for a setting that makes no sense."""
    for key, least in _LEAST.items():
        if getattr(job, key) < least:
            raise InputError(f"{key}: {getattr(job, key)} is less than {least}")
    for key in ("label_noise", "validation_fraction"):
        if getattr(job, key) > 1:
            raise InputError(f"{key}: {getattr(job, key)} is a share, more than 1")
    if job.nesterov and not job.momentum:
        raise InputError("nesterov needs momentum above 0")
    late = [epoch for epoch in job.checkpoints if not 0 <= epoch <= job.epochs]
    if late:
        raise InputError(f"checkpoints: there is no epoch {late[0]} in 0 to {job.epochs}")
    if job.start_from and not job.start:
        raise InputError(f"start_from names {job.start_from!r}, but `start` gives no file of its weights")


def prepare(job: TrainModelJob) -> torch.device:
    """Threads, determinism and the device. Raises InputError where cuda is asked for and there is none."""
    torch.set_num_threads(job.threads)
    cuda = job.device.value != "cpu" and torch.cuda.is_available()
    if job.device.value == "cuda" and not cuda:
        raise InputError("device: cuda, but torch finds no such device: choose cpu or auto")
    if cuda:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # use_deterministic_algorithms without importing the compiler (2 s); a few GPU kernels have no deterministic form
    torch.set_deterministic_debug_mode("warn" if cuda else "error")
    return torch.device("cuda" if cuda else "cpu")


def fingerprint(job: TrainModelJob, network: nn.Module, images: Tensor, labels: Tensor) -> str:
    """What an interrupted training must have in common with the one that goes on: settings, start, data, torch."""
    settings = {entry.name: getattr(job, entry.name) for entry in fields(TrainModel)}
    text = json.dumps([plain(settings | {"dataset": job.dataset}), torch.__version__], sort_keys=True)
    digest = hashlib.sha256(text.encode())
    for tensor in (*network.state_dict().values(), images, labels):
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def save(path: str, key: str, network: nn.Module, generator: Generator, progress: Progress) -> None:
    """Write all that the next epoch depends on as one safetensors file."""
    groups = {"network": state_of(network), "best": progress.best}
    groups |= {f"checkpoint {epoch}": state for epoch, state in progress.checkpoints.items()}
    groups |= {f"slot {i}": {str(j): t.cpu() for j, t in enumerate(s)} for i, s in enumerate(progress.slots)}
    groups["random"] = {"order": generator.get_state(), "cpu": torch.get_rng_state()}
    if torch.cuda.is_initialized():
        groups["random"]["cuda"] = torch.cuda.get_rng_state()
    told = ("epoch", "steps", "best_epoch", "history", "status")
    header = {"fingerprint": key, "best_loss": repr(progress.best_loss)}
    header |= {name: getattr(progress, name) for name in told}
    tensors = {f"{group}/{name}": tensor for group, state in groups.items() for name, tensor in state.items()}
    write_weights(path, tensors, header)


def restored(path: str, key: str, network: nn.Module, generator: Generator) -> Progress | None:
    """Where the training of this fingerprint stood; network and random numbers are set back to it. None for no file.

    A file of other settings, or one that cannot be read, is not used.
    """
    if not Path(path).exists():
        return None
    try:
        tensors, header = read_weights(path)
    except InputError as error:
        log.warning("%s; the training begins anew", error)
        return None
    if header.get("fingerprint") != key:
        log.warning("%s: of another training, with other settings, data or torch; the training begins anew", path)
        return None
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        group, _, rest = name.partition("/")
        groups.setdefault(group, {})[rest] = torch.as_tensor(tensor).clone()
    device = next(network.parameters()).device
    network.load_state_dict(groups["network"])
    random = groups["random"]
    generator.set_state(random["order"])
    torch.set_rng_state(random["cpu"])
    if "cuda" in random:
        torch.cuda.set_rng_state(random["cuda"])
    slots = [groups[f"slot {i}"] for i in range(sum(group.startswith("slot ") for group in groups))]
    return Progress(
        slots=[[slot[str(j)].to(device) for j in range(len(slot))] for slot in slots],
        best=groups.get("best", {}),
        best_loss=float(header["best_loss"]),
        checkpoints={
            int(group.removeprefix("checkpoint ")): state
            for group, state in groups.items()
            if group.startswith("checkpoint ")
        },
        **{name: header[name] for name in ("epoch", "steps", "best_epoch", "history", "status")},
    )


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
