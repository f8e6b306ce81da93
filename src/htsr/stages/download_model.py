"""Fetch one published model, verify it, load it safely, and keep its tensors with their origin."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from htsr.config import DownloadModel, Model, Source
from htsr.errors import InputError
from htsr.models.download import fetch_by, verify
from htsr.models.loading import load_state
from htsr.models.weights import count_parameters, untie, write_weights
from htsr.stage import stage

log = logging.getLogger("htsr.download_model")


@dataclass
class DownloadModelJob(DownloadModel):
    """mirror: a folder looked at before the network; without it, the environment variable HTSR_MIRROR."""

    name: str = MISSING
    model: Model = field(default_factory=Model)
    mirror: str | None = None
    weights: str = MISSING


@stage(DownloadModelJob)
def main(job: DownloadModelJob) -> None:
    try:
        path, header = locate(job)
        state, tied = untie(load_state(path, job.model.placeholders))
    except InputError as error:
        raise InputError(f"model {job.name}: {error}") from error
    header |= {"n_parameters": count_parameters(state), "tied": tied}
    write_weights(job.weights, state, header)
    log.info("%s: %d tensors, %d parameters, %d tied", job.name, len(state), header["n_parameters"], len(tied))


def locate(job: DownloadModelJob) -> tuple[Path, dict[str, Any]]:
    """The model's file, downloaded if need be, and what is known of it."""
    model, layers = job.model, {}
    header = {
        "model": job.name,
        "source": model.source.value,
        "origin": model.url,
        "sha256": None,
        "accuracy": model.accuracy,
        "accuracy_source": model.accuracy_source,
        "train_accuracy": None,
    }
    if model.source is Source.file:
        path = Path(model.file)
        if not path.exists():
            raise InputError(f"{path}: no such file (relative to the working directory): correct `file`")
        header["origin"] = path.name
        if path.is_file():
            header["sha256"] = verify(path, model.sha256, "correct `sha256` or replace the file")
        elif model.sha256:
            raise InputError(f"{path}: a folder has no sha256: leave it out")
    elif model.source is Source.url:
        path, header["sha256"] = fetch_by(job, model.url, model.sha256)
    elif model.source is Source.torchvision:
        from htsr.models.hub import hub_weights

        hub = hub_weights(model.weights)
        path, header["sha256"] = fetch_by(job, hub.url, model.sha256 or hub.sha256)
        header["origin"], layers = model.weights, hub.layers
        if model.accuracy is None:
            header |= {"accuracy": hub.accuracy, "accuracy_source": hub.accuracy_source}
    else:
        raise InputError(f"source {model.source.value}: there is nothing to download")
    for key, entry in model.layers.items():
        layers[key] = {**layers.get(key, {}), **entry}
    return path, header | {"layers": layers}


if __name__ == "__main__":
    main()
