"""Measure the loss of networks on lines, planes and curves in the space of their weights.

In: `names` of networks with files of their weights (`weights`, safetensors of train_model or download_model) and, for
`initial` and pca, of their weights over time (`states`), and images (`images`, safetensors of download_dataset); for
pca, `directions` (safetensors of project_trajectory).

Out: the measured points (`points`, CSV) and the places of other networks on lines and planes (`checkpoints`, CSV).
    plane           random: along Gaussian directions from the network
                    interpolation: along the straight line to `other`, which lies at a = 1
                    through: in the plane of `other`, at (1, 0), and `third`
                    pca: along the principal components of the training, each as long as the training's extent along it
                    bezier: on a curve to `other` that is trained to have a small loss, a being its parameter
    a, b            coordinates; the network itself lies at (0, 0)
    level           0 for the points of the grid, k for those between them that were added in the k-th refinement
    length_a, _b    Euclidean length of the directions, over parameters
    *_loss, *_stderr, *_accuracy   mean over the examples of the training images, with the labels trained on, or of the
                    test images; standard error over the examples; percent
    status          ok, infinite or undefined (not a number, an empty cell): what the losses are
A point is measured once: with `resume`, an interrupted job goes on from its last save, to the same files.
"""

import copy
import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import MISSING
from torch import Tensor

from htsr.config import EvaluateSurface, Plane, Surface, SurfaceSet, surfaces_of
from htsr.errors import InputError
from htsr.files import Arrays, write_arrays, write_table
from htsr.landscape.directions import bezier, combined, difference, moved, norm, plane_through, random_direction
from htsr.landscape.grid import explore, lattice
from htsr.landscape.paths import bezier_control, curve
from htsr.landscape.surface import Loss, evaluator
from htsr.landscape.trajectory import project
from htsr.networks.trained import Trained, examples, load_trained
from htsr.spectra.permutation import generator
from htsr.stage import stage

log = logging.getLogger("htsr.evaluate_surface")

_NUMBERS = [f"{split}_{name}" for split in ("train", "test") for name in ("loss", "stderr", "accuracy")]
POINTS = [
    *("surface", "network", "other", "third", "plane", "dimensions", "normalization", "batch_norm", "seed"),
    *("length_a", "length_b", "train_examples", "test_examples", "a", "b", "level", *_NUMBERS, "status"),
]
CHECKPOINTS = ["surface", "network", "checkpoint", "epoch", "a", "b"]
# Which networks each plane takes beside its own, and how many dimensions it may have.
_SHAPES = {
    "random": ([], (1, 2)),
    "pca": ([], (1, 2)),
    "interpolation": (["other"], (1,)),
    "bezier": (["other"], (1,)),
    "through": (["other", "third"], (2,)),
}


@dataclass
class EvaluateSurfaceJob(EvaluateSurface):
    """tile: of 0 to tiles - 1: every tiles-th point of each surface from that one on.

    resume: the file that holds the points of an interrupted job, saved every `save_seconds`; null for none.
    """

    name: str = MISSING
    set: SurfaceSet = field(default_factory=SurfaceSet)
    tile: int = 0
    names: list[str] = MISSING
    weights: list[str] = MISSING
    states: list[str] = field(default_factory=list)
    images: str = MISSING
    directions: str | None = None
    resume: str | None = None
    save_seconds: float = 30.0
    points: str = MISSING
    checkpoints: str = MISSING


@stage(EvaluateSurfaceJob)
def main(job: EvaluateSurfaceJob) -> None:
    torch.set_num_threads(1)
    try:
        surfaces = surfaces_of(job.set)
        check(job, surfaces)
        remembered = memory(job, surfaces)
        points, checkpoints = [], []
        for name, surface in surfaces.items():
            for network in surface.networks:
                try:
                    found, places = measured(job, name, surface, network, remembered)
                except InputError as error:
                    raise InputError(f"{name}, network {network}: {error}") from error
                points += found
                checkpoints += places
    except InputError as error:
        raise InputError(f"surfaces {job.name}: {error}") from error
    write_table(job.points, points, POINTS)
    write_table(job.checkpoints, checkpoints, CHECKPOINTS)
    if job.resume:
        Path(job.resume).unlink(missing_ok=True)


def check(job: EvaluateSurfaceJob, surfaces: Mapping[str, Surface]) -> None:
    """Raises InputError for a setting that makes no sense."""
    if len(job.names) != len(job.weights) or len(job.states) not in (0, len(job.names)):
        raise InputError(f"{len(job.names)} names, but {len(job.weights)} weights and {len(job.states)} states")
    if not 0 <= job.tile < job.set.tiles:
        raise InputError(f"tile {job.tile}: there are {job.set.tiles}, counted from 0")
    for name, surface in surfaces.items():
        kind = surface.plane.value
        others, dimensions = _SHAPES[kind]
        if [key for key in ("other", "third") if getattr(surface, key) is not None] != others:
            raise InputError(f"{name}: plane {kind} needs {' and '.join(others) or 'neither other nor third'}")
        if len(surface.points) not in dimensions:
            raise InputError(f"{name}: points {surface.points}: plane {kind} has {dimensions[0]} dimension(s)")
        if not surface.networks or not surface.directions_seeds:
            raise InputError(f"{name}: networks and directions_seeds need an entry")
        if surface.train_examples <= 0 and surface.test_examples <= 0:
            raise InputError(f"{name}: train_examples and test_examples are both 0: there is nothing to measure")
        for network in (*surface.networks, surface.other, surface.third):
            if network not in {*job.names, "initial", None}:
                raise InputError(f"{name}: network {network!r} is not among the given ones")


def measured(
    job: EvaluateSurfaceJob, name: str, surface: Surface, network: str, remembered: Callable
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of the points of one surface of one network, and of the places of other networks on it."""
    trained = loaded(job, network)
    sets = {}
    for split, count in (("train", surface.train_examples), ("test", surface.test_examples)):
        if count > 0:
            available = len(getattr(trained.data, f"{split}_labels"))
            chosen = examples(trained, split, min(count, available), job.seed)
            sets[split] = torch.from_numpy(chosen.images), torch.from_numpy(chosen.labels)
    evaluate = evaluator(
        trained.network,
        sets,
        batch_norm=surface.batch_norm.value,
        calibration=sets["train"][0] if "train" in sets else None,
        loss=trained.loss,
        threads=job.threads,
    )
    origin = trained.network.state_dict()
    axes = lattice(surface.points, surface.low, surface.high, surface.refine)
    rows, places = [], []
    for seed in surface.directions_seeds if surface.plane is Plane.random else surface.directions_seeds[:1]:
        directions, coordinates = plane(job, surface, network, trained, seed)
        places = [{"surface": name, "network": network, **place} for place in coordinates]
        lengths = [norm(direction) for direction in directions]
        known = {
            "surface": name,
            "network": network,
            "other": surface.other,
            "third": surface.third,
            "plane": surface.plane.value,
            "dimensions": len(surface.points),
            "normalization": surface.normalization.value if surface.plane is Plane.random else None,
            "batch_norm": surface.batch_norm.value,
            "seed": seed,
            "length_a": lengths[-1] if surface.plane is Plane.bezier else lengths[0],
            "length_b": lengths[1] if len(surface.points) == 2 else None,
        }
        known |= {f"{split}_examples": len(sets[split][1]) if split in sets else 0 for split in ("train", "test")}

        def measure(a: float, b: float, directions: Sequence[Mapping[str, Tensor]] = directions) -> dict[str, Loss]:
            at = bezier(a) if surface.plane is Plane.bezier else (a, b)
            return evaluate(moved(origin, directions, at[: len(directions)]))

        began = time.monotonic()
        found = explore(
            axes,
            surface.refine,
            remembered(f"{name}/{network}/{seed}", measure),
            f"{next(iter(sets))}_loss",
            share=job.bend,
            tile=job.tile,
            tiles=job.set.tiles,
        )
        rows += [known | row for row in found]
        log.info("%s, %s, seed %d: %d points in %.1f s", name, network, seed, len(found), time.monotonic() - began)
    return rows, places


def loaded(job: EvaluateSurfaceJob, network: str, epoch: int | None = None) -> Trained:
    """One of the given networks with its data, at the end of its training or at an epoch that was kept."""
    i = job.names.index(network)
    return load_trained(job.weights[i], job.images, states=job.states[i] if job.states else None, epoch=epoch)


def plane(
    job: EvaluateSurfaceJob, surface: Surface, network: str, trained: Trained, seed: int
) -> tuple[list[dict[str, Tensor]], list[dict[str, Any]]]:
    """The directions of a surface from the network, and the coordinates of other states on it.

    Of a curve, the directions that `bezier` gives coefficients of.
    """
    own = trained.network.state_dict()
    here = {"checkpoint": network, "epoch": None, "a": 0.0, "b": 0.0}
    if surface.plane is Plane.random:
        how = surface.normalization.value
        return [random_direction(own, seed, how, axis) for axis in range(len(surface.points))], [here]
    if surface.plane is Plane.pca:
        return principal(job, network, own, len(surface.points))
    others = [companion(job, network, trained, name) for name in (surface.other, surface.third) if name]
    there = here | {"checkpoint": surface.other, "a": 1.0}
    if surface.plane is Plane.interpolation:
        return [difference(own, others[0])], [here, there]
    if surface.plane is Plane.through:
        directions, places = plane_through(own, *others)
        return directions, [here, there, here | {"checkpoint": surface.third, "a": places[2][0], "b": places[2][1]}]
    control = bezier_control(
        trained.network,
        own,
        others[0],
        torch.from_numpy(trained.data.train_images),
        torch.from_numpy(trained.data.train_labels),
        generator(seed, f"{network} {surface.other}"),
        steps=job.curve_steps,
        batch_size=job.curve_batch_size,
        learning_rate=job.curve_learning_rate,
        loss=trained.loss,
    )
    return curve(own, control, others[0]), [here, there]


def companion(job: EvaluateSurfaceJob, network: str, trained: Trained, name: str) -> dict[str, Tensor]:
    """The state of another network, or of the initial weights of this one.

    Raises InputError where it saw other images, or where this network with its weights is not that network.
    """
    other = loaded(job, network, 0) if name == "initial" else loaded(job, name)
    if not np.array_equal(other.data.train_images, trained.data.train_images):
        raise InputError(f"{name} was trained on other images: choose networks with the same ones")
    state = other.network.state_dict()
    difference(trained.network.state_dict(), state)  # of one architecture
    images, same = torch.from_numpy(trained.data.train_images[:8]), copy.deepcopy(trained.network)
    same.load_state_dict(state)
    with torch.no_grad():
        if not torch.equal(same(images), other.network(images)):
            raise InputError(f"{name} with the same weights is another function: choose networks of one architecture")
    return state


def principal(
    job: EvaluateSurfaceJob, network: str, own: Mapping[str, Tensor], dimensions: int
) -> tuple[list[dict[str, Tensor]], list[dict[str, Any]]]:
    """Principal directions of a training, each times the largest coordinate of a state along it, and the states."""
    if job.directions is None or not job.states:
        raise InputError("plane pca needs the files `directions` (of project_trajectory) and `states`")
    arrays, states = Arrays(job.directions), Arrays(job.states[job.names.index(network)])
    directions = []
    for i in range(1, dimensions + 1):
        prefix = f"{network}/direction_{i}/"
        tensors = {key.removeprefix(prefix): np.asarray(arrays[key], float) for key in arrays if key.startswith(prefix)}
        if not tensors:
            raise InputError(f"{job.directions}: has no direction {i} of {network}")
        directions.append(tensors)
    names = list(directions[0])
    rows = np.stack([np.concatenate([tensors[key].ravel() for key in names]) for tensors in directions])
    epochs = states.header["epochs"]
    end = np.concatenate([own[key].double().numpy().ravel() for key in names])
    offsets = [np.concatenate([np.ravel(states[f"{t}/{key}"]) for key in names]) - end for t in epochs]
    coordinates, _ = project(np.stack(offsets), rows)
    extents = np.abs(coordinates).max(axis=0)
    if not (extents > 0).all():
        raise InputError(f"{network}: its training does not move along a principal direction")
    scaled = [
        combined([{key: torch.from_numpy(tensor) for key, tensor in tensors.items()}], [extent])
        for tensors, extent in zip(directions, extents.tolist(), strict=True)
    ]
    places = [
        {"checkpoint": network, "epoch": t, **dict(zip("ab", (*at, 0.0)[:2], strict=True))}
        for t, at in zip(epochs, (coordinates / extents).tolist(), strict=True)
    ]
    return scaled, places


def memory(job: EvaluateSurfaceJob, surfaces: Mapping[str, Surface]) -> Callable[[str, Callable], Callable]:
    """remembered(group, measure): measure(a, b) as numbers of a row, taken from `resume` where they stand there.

    New ones are saved there every `save_seconds`. A file of other settings, or one that cannot be read, is not used.
    """
    key = fingerprint(job, surfaces) if job.resume else None
    known = restored(job.resume, key) if job.resume else {}
    saved = time.monotonic()

    def remembered(group: str, measure: Callable[[float, float], Mapping[str, Loss]]) -> Callable:
        own = known.setdefault(group, {})

        def of_point(a: float, b: float) -> dict[str, Any]:
            nonlocal saved
            if (a, b) not in own:
                losses = {f"{split}_{k}": v for split, loss in measure(a, b).items() for k, v in loss._asdict().items()}
                own[a, b] = [losses.get(name, math.nan) for name in _NUMBERS]
                if job.resume and time.monotonic() - saved >= job.save_seconds:
                    save(job.resume, key, known)
                    saved = time.monotonic()
            row = dict(zip(_NUMBERS, own[a, b], strict=True))
            counted = [row[f"{split}_loss"] for split in ("train", "test") if not math.isnan(row[f"{split}_accuracy"])]
            finite = all(map(math.isfinite, counted))
            return row | {"status": "ok" if finite else "undefined" if any(map(math.isnan, counted)) else "infinite"}

        return of_point

    return remembered


def fingerprint(job: EvaluateSurfaceJob, surfaces: Mapping[str, Surface]) -> str:
    """What an interrupted job must have in common with the one that goes on: settings, networks, images, torch."""
    settings = [
        {entry.name: getattr(job, entry.name) for entry in fields(EvaluateSurface) if entry.name != "threads"},
        {name: {entry.name: getattr(own, entry.name) for entry in fields(own)} for name, own in surfaces.items()},
        [job.names, job.tile, job.set.tiles, torch.__version__],
    ]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=lambda entry: entry.value).encode())
    for file in (*job.weights, *job.states, job.images, *([job.directions] if job.directions else [])):
        with Path(file).open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


def save(path: str, key: str, known: Mapping[str, Mapping[tuple[float, float], Sequence[float]]]) -> None:
    """Write the points measured so far as one safetensors file: rows a, b and the numbers of each surface."""
    arrays = [(group, np.array([[*at, *row] for at, row in own.items()])) for group, own in known.items() if own]
    write_arrays(path, arrays, {"fingerprint": key})


def restored(path: str, key: str) -> dict[str, dict[tuple[float, float], list[float]]]:
    """The points of an interrupted job of this fingerprint; none for no file, or for one of another job."""
    if not Path(path).exists():
        return {}
    try:
        arrays = Arrays(path)
    except InputError as error:
        log.warning("%s; the surfaces begin anew", error)
        return {}
    if arrays.header.get("fingerprint") != key:
        log.warning("%s: of other surfaces, with other settings, networks or torch; they begin anew", path)
        return {}
    known = {group: {(row[0], row[1]): row[2:] for row in arrays[group].tolist()} for group in arrays}
    log.info("goes on after %d points, from %s", sum(map(len, known.values())), path)
    return known


if __name__ == "__main__":
    main()
