"""Project the course of trainings on the plane of their first two principal components, beside a random walk's.

In: weights over time (`states`, safetensors of train_model) and histories (`histories`, CSV), one for each of `names`.
Out:
    coordinates (CSV)           one row for each network and kept epoch: pc1, pc2 of θ_t - θ_T along directions of
                                length 1, distance ‖θ_t - θ_T‖, outside (share of it that the plane leaves out), and
                                what the history says of that epoch
    explained (CSV)             one row for each network and component: share of the variance, that of random walks with
                                the same step lengths in as many dimensions (mean, interval, and p: share of walks with
                                as much), the same for the sum up to it, and the share of an endless walk of equal steps
    directions (safetensors)    the two directions, tensors named <network>/direction_1/<weight>, to draw surfaces over

Every kept epoch counts as one step, whatever the number of epochs between two of them.
"""

import logging
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from omegaconf import MISSING

from htsr.config import ProjectTrajectory
from htsr.errors import InputError
from htsr.files import Arrays, read_table, write_arrays, write_table
from htsr.landscape.trajectory import components, project, step_lengths, walk_limit, walk_null
from htsr.spectra.permutation import generator
from htsr.stage import stage

log = logging.getLogger("htsr.project_trajectory")

_BUFFERS = ("running_mean", "running_var")
_TOLD = ("loss", "train_accuracy", "test_loss", "test_accuracy", "learning_rate")


@dataclass
class ProjectTrajectoryJob(ProjectTrajectory):
    name: str = MISSING
    names: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    histories: list[str] = field(default_factory=list)
    coordinates: str = MISSING
    explained: str = MISSING
    directions: str = MISSING


@stage(ProjectTrajectoryJob)
def main(job: ProjectTrajectoryJob) -> None:
    check(job)
    coordinates, explained, arrays = [], [], []
    for name, states, history in zip(job.names, job.states, job.histories, strict=True):
        own, shares, directions = projected(job, name, states, history)
        coordinates += own
        explained += shares
        arrays += directions
        log.info("%s: %d states, %s", name, len(own), shares[0]["status"])
    write_table(job.coordinates, coordinates)
    write_table(job.explained, explained)
    write_arrays(job.directions, arrays, {"include": job.include.value, "centred": job.centred, "networks": job.names})


def check(job: ProjectTrajectoryJob) -> None:
    """Raises InputError for settings or lists that make no sense."""
    if not len(job.names) == len(job.states) == len(job.histories) > 0:
        raise InputError(f"trajectories {job.name!r}: names, states, histories must be lists of one length, not empty")
    for key, least in (("components", 2), ("samples", 1)):
        if getattr(job, key) < least:
            raise InputError(f"project_trajectory.{key} is {getattr(job, key)}: {least} is the least")
    if not 0 < job.level < 1:
        raise InputError(f"project_trajectory.level is {job.level}: it must lie between 0 and 1")


def projected(
    job: ProjectTrajectoryJob, name: str, states: str, history: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[tuple[str, np.ndarray]]]:
    """Rows of coordinates and of explained variance, and the named directions, of one network."""
    arrays = Arrays(states)
    epochs = arrays.header["epochs"]
    shapes = {key: arrays[f"{epochs[-1]}/{key}"].shape for key in included(arrays, epochs[-1], job.include.value)}
    path = np.stack([np.concatenate([np.ravel(arrays[f"{t}/{key}"]) for key in shapes]) for t in epochs])
    told = read_table(history).drop_duplicates("epoch", keep="last").set_index("epoch")
    rows = [{"network": name, "epoch": t} for t in epochs]
    for row in rows:
        known = told.loc[row["epoch"]] if row["epoch"] in told.index else {}
        row |= {key: known.get(key) for key in _TOLD}
    if len(epochs) < 3 or not np.isfinite(path).all():
        why = "fewer than 3 states" if len(epochs) < 3 else "weights are not finite"
        return rows, [{"network": name, "status": why}], []
    found = components(path, centred=job.centred)
    offsets = path.astype(float) - path[-1]
    outside = project(offsets, found.directions)[1] if len(found.directions) else np.zeros(len(path))
    for row, coordinates, offset, share in zip(rows, found.coordinates, offsets, outside, strict=True):
        row |= {f"pc{i + 1}": float(c) for i, c in enumerate(coordinates)}
        row |= {"distance": float(np.linalg.norm(offset)), "outside": float(share)}
    directions = []
    for i, direction in enumerate(found.directions, 1):
        parts = np.split(direction.astype(np.float32), np.cumsum([int(np.prod(s)) for s in shapes.values()])[:-1])
        directions += [
            (f"{name}/direction_{i}/{key}", part.reshape(shape))
            for (key, shape), part in zip(shapes.items(), parts, strict=True)
        ]
    return rows, explained_rows(job, name, path, found.explained), directions


def included(arrays: Arrays, epoch: int, include: str) -> list[str]:
    """Names of the tensors that make up θ: `weights` of two or more dimensions; `parameters`: biases and those of batch
    norm too; `state`: its running statistics as well."""
    prefix = f"{epoch}/"
    names = [name.removeprefix(prefix) for name in arrays if name.startswith(prefix)]
    names = [name for name in names if not name.endswith("num_batches_tracked")]
    if include != "state":
        names = [name for name in names if not name.endswith(_BUFFERS)]
    return [name for name in names if include != "weights" or arrays[prefix + name].ndim > 1]


def explained_rows(
    job: ProjectTrajectoryJob, name: str, path: np.ndarray, explained: np.ndarray
) -> list[dict[str, Any]]:
    """Explained shares of the first components beside their null."""
    lengths = step_lengths(path)
    walks = walk_null(lengths, path.shape[1], job.samples, generator(job.seed, name), centred=job.centred)
    limit = walk_limit(len(explained), centred=job.centred)
    count = min(job.components, len(explained))
    rows = [
        {"network": name, "component": i + 1, "n_states": len(path), "n_parameters": path.shape[1]}
        for i in range(count)
    ]
    tails = [(1 - job.level) / 2, (1 + job.level) / 2]
    for prefix, values, null, endless in (
        ("explained", explained, walks, limit),
        ("cumulative", explained.cumsum(), walks.cumsum(axis=1), limit.cumsum()),
    ):
        for i, row in enumerate(rows):
            low, high = np.quantile(null[:, i], tails)
            atleast = int(np.count_nonzero(null[:, i] >= values[i] * (1 - 1e-12)))
            row |= {
                prefix: float(values[i]),
                f"{prefix}_null": float(null[:, i].mean()),
                f"{prefix}_null_low": float(low),
                f"{prefix}_null_high": float(high),
                f"{prefix}_p": (1 + atleast) / (1 + job.samples),
                f"{prefix}_limit": float(endless[i]),
            }
    return [row | {"status": "ok"} for row in rows]


if __name__ == "__main__":
    main()
